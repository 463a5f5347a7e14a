// One attack from start to end: a gateway of its own, good devices at rest, beside the attack on a sink, and beside the
// attack on the gateway.
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../load/processes/child.ts';
import { type OwnGateway, startOwnGateway } from '../servers/own-gateway.ts';
import type { Attack } from './attack.ts';
import type { AttackerCalls } from './attackers/attacker-process.ts';
import { GoodDevices } from './devices/good-devices.ts';
import type { AttackerReport, Evidence, GoodFigures } from './evidence.ts';
import type { SinkCalls } from './sink-process.ts';
import { Watch } from './watch.ts';

export interface StageOptions {
  readonly bootstrap: string;
  readonly seconds: number;
  /** Settings that override those of the attack. */
  readonly settings: Readonly<Record<string, string>>;
  readonly node: string | undefined;
  readonly signal: AbortSignal;
}

const ATTACKERS = new URL('attackers/attacker-process.js', import.meta.url);
const SINK = new URL('sink-process.js', import.meta.url);
const SETTINGS = { TCP_PROCESSES: '2', LOG_LEVEL: 'info' } as const;
/** Time to compile the code and to create the topic. */
const WARM_UP_SECONDS = 1.5;
const REST_SECONDS = 2;
/** The attack begins before the measurement and ends after it. */
const LEAD_SECONDS = 0.2;
/** Time for the connections to the sink to end. */
const BETWEEN_MS = 300;

/** Rejects if the attack could not be carried out, with the end of the gateway's log. */
export async function carryOut(attack: Attack, options: StageOptions): Promise<Evidence> {
  const { bootstrap, settings, node, signal } = options;
  const gateway = await startOwnGateway({
    bootstrap,
    name: 'attack',
    settings: { ...SETTINGS, ...attack.settings, ...settings },
    node,
  });
  let seen: Omit<Evidence, 'exit' | 'log'>;
  try {
    seen = await attackBeside(gateway, attack, options);
  } catch (error) {
    await gateway.stop().catch(() => {});
    signal.throwIfAborted();
    throw gateway.server.explained(error);
  }
  await gateway.stop().catch(() => {});
  return { ...seen, exit: await gateway.server.exited, log: gateway.server.log };
}

async function attackBeside(
  { server, topic }: OwnGateway,
  attack: Attack,
  options: StageOptions,
): Promise<Omit<Evidence, 'exit' | 'log'>> {
  const { bootstrap, signal } = options;
  const port = server.tcpPort;
  const good = await GoodDevices.connect({ bootstrap, port, topic, signal });
  try {
    await good.measure(WARM_UP_SECONDS);
    const rest = await good.measure(REST_SECONDS);
    const sink = attack.hasSink === false ? undefined : await besideSink(attack, good, server, options);
    const watch = await Watch.start(server);
    const { attackers, figures } = await beside(attack, good, { server, port, options });
    const watched = await watch.stop();
    return { rest, sink, attacked: figures, attackers, ...watched, good: await good.finish() };
  } finally {
    await good.stop();
  }
}

async function besideSink(
  attack: Attack,
  good: GoodDevices,
  server: OwnGateway['server'],
  options: StageOptions,
): Promise<GoodFigures> {
  const sink = new Child<SinkCalls>(SINK, { signal: options.signal });
  try {
    const port = await sink.call('listen', null);
    const { figures } = await beside(attack, good, { server, port, options });
    return figures;
  } finally {
    await sink.stop();
    await sleep(BETWEEN_MS);
  }
}

/** Good devices go to the gateway, attackers to `port`. */
async function beside(
  { name, processes = 1, minSeconds = 0 }: Attack,
  good: GoodDevices,
  { server, port, options }: { server: OwnGateway['server']; port: number; options: StageOptions },
) {
  const seconds = Math.max(minSeconds, options.seconds);
  const attackers = Array.from(
    { length: processes },
    () => new Child<AttackerCalls>(ATTACKERS, { signal: options.signal }),
  );
  const common = { port, adminPort: server.adminPort, pids: server.pids, processes };
  try {
    const attacking = attackers.map((attacker, process) =>
      attacker.call('attack', {
        name,
        arena: { ...common, process, seconds: seconds + 2 * LEAD_SECONDS },
      }),
    );
    const reports = Promise.all(attacking);
    reports.catch(() => {});
    await sleep(LEAD_SECONDS * 1000);
    const figures = await good.measure(seconds);
    return { figures, attackers: sumOf(await reports) };
  } finally {
    await Promise.all(attackers.map((attacker) => attacker.stop()));
  }
}

function sumOf(reports: readonly AttackerReport[]): AttackerReport {
  const ended: Record<string, number> = {};
  const notes: Record<string, number> = {};
  for (const report of reports) {
    for (const [how, times] of Object.entries(report.ended)) ended[how] = (ended[how] ?? 0) + times;
    for (const [name, value] of Object.entries(report.notes))
      notes[name] = Math.max(value, notes[name] ?? value);
  }
  const sum = (of: (report: AttackerReport) => number) => reports.reduce((total, one) => total + of(one), 0);
  return { connected: sum((one) => one.connected), sentBytes: sum((one) => one.sentBytes), ended, notes };
}
