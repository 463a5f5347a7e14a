// A short history of a gateway without Kafka in a world: devices send readings, a process is killed, the gateway is started
// again on the same disk and stopped. Run as a program it prints the history's hash.
import { createWorld } from '../../simulation/create-world.ts';
import { installHooks } from '../../simulation/hooks.ts';
import type { World } from '../../simulation/world/world.ts';

export interface Scenario {
  readonly seed: number;
  readonly processes: number;
}

export interface Played {
  readonly hash: string;
  /** The highest `stored` of each device, in order. */
  readonly stored: readonly number[];
  /** Of the last gateway: how many readings its spool held at its start. */
  readonly recovered: number;
  readonly exitCodes: readonly (number | null)[];
  readonly warnings: readonly string[];
  readonly simulatedMs: number;
}

const MESSAGES = 40;
const DEVICES = 3;

/** Imports the gateway's code, with the shims below it. */
export async function loadGateway() {
  installHooks();
  const { SimGateway } = await import('../../simulation/gateway/sim-gateway.ts');
  return SimGateway;
}

export async function playScenario({ seed, processes }: Scenario): Promise<Played> {
  const Gateway = await loadGateway();
  const { connect } = await import('../../simulation/shims/net.ts');
  const world = createWorld(seed);
  try {
    const env = { KAFKA_BROKERS: '', TCP_PROCESSES: `${processes}`, SHUTDOWN_TIMEOUT: '2s' };
    const stored = Array<number>(DEVICES).fill(-1);
    /** Sends its messages, and hears `stored` until its connection ends. */
    const device = (number: number, from: number) => {
      const socket = connect({ host: 'gateway', port: 8080 });
      let text = '';
      socket.on('error', () => {});
      socket.on('data', (bytes: Buffer) => {
        const lines = `${text}${bytes}`.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) {
          const { status, seq } = JSON.parse(line) as { status: string; seq?: number };
          world.note(`device ${number} hears ${line}`);
          if (status === 'stored' && seq !== undefined) stored[number] = Math.max(stored[number] ?? -1, seq);
        }
      });
      const identify = { type: 'identify', zipcode: `z${number}`, city: 'c', device_id: `d${number}` };
      socket.write(`${JSON.stringify(identify)}\n`);
      for (let seq = from; seq < from + MESSAGES; seq++)
        setTimeout(
          () => socket.write(`${JSON.stringify({ type: 'metrics', seq, data: { m: seq } })}\n`),
          10 * (seq - from) + world.random('pauses').between(0, 9),
        );
    };

    const first = Gateway.start(world, env);
    await played(world, first.ready);
    for (let number = 0; number < DEVICES; number++) device(number, 0);
    await world.play({ ms: world.random('kill').between(100, 400) });
    if (processes > 1) {
      first.killProcess(1);
      await world.play({ ms: 1500 });
    }
    first.kill();
    await played(world, first.exited);
    const second = Gateway.start(world, env);
    await played(world, second.ready);
    const recovered = (await played(world, second.snapshot())).records.recovered;
    for (let number = 0; number < DEVICES; number++) device(number, MESSAGES);
    await world.play({ ms: 5000, done: () => stored.every((seq) => seq === 2 * MESSAGES - 1) });
    await played(world, second.stop());
    return {
      hash: world.traceHash,
      stored,
      recovered,
      exitCodes: [first.exitCode, second.exitCode],
      warnings: [...first.log, ...second.log]
        .filter(({ level }) => level === 'warn' || level === 'error')
        .map(({ event }) => event),
      simulatedMs: world.nowMs,
    };
  } finally {
    world.end();
  }
}

/** Plays until the promise settles. @throws Error if it does not within a minute */
async function played<T>(world: World, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  promise.then(settle, settle);
  const end = await world.play({ ms: 60_000, done: () => isSettled });
  if (end !== 'done') throw new Error(`the world came to '${end}' while somebody waited`);
  return promise;
}

if (process.argv[2] === 'play') {
  const [seed, processes] = process.argv.slice(3).map(Number);
  const { hash } = await playScenario({ seed: seed ?? 1, processes: processes ?? 1 });
  console.log(hash);
}
