// 10,000 hostile connections at once, against the limit on memory of one process. Good devices beside them are served.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive } from './stage.ts';

const CONNECTIONS = 10_000;
const MIB = 2 ** 20;
const MAX_RSS_MIB = 512;
const ATTACK_MS = 8_000;
/**
 * If the queue of the listening socket (net.core.somaxconn, 4096) is full, the kernel drops packets and repeats each after 1, 2, 4 ...
 * 32 s: on a busy machine the last connections came after more than a minute.
 */
const MAX_UNACCEPTED = 1_000;

/** What each connection sends after its identify; undefined = nothing more. */
type Attack = (socket: Socket) => void;

const ATTACKS: readonly (readonly [name: string, attack: Attack, env: Env])[] = [
  ['send 63 KiB without a newline', (socket) => socket.write('x'.repeat(63 * 1024)), {}],
  [
    'send lines that find no room',
    (socket) => {
      socket.write(`{"type":"metrics","data":{"a":"${'x'.repeat(1000)}"}}\n`.repeat(64));
    },
    {
      KAFKA_BUFFER_BYTES: '4MiB',
      SPOOL_MAX_BYTES: '1MiB',
      SPOOL_SEGMENT_BYTES: '1MiB',
      KAFKA_COMPRESSION: 'none',
    },
  ],
];

/** The highest resident memory of the process so far. */
function peakMiB(pid: number): number {
  const kib = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1024);
}

for (const [name, attack, env] of ATTACKS) {
  it(`${CONNECTIONS} connections that ${name} leave a process below ${MAX_RSS_MIB} MiB`, async (t) => {
    const gateway = await runGateway(t, temporaryDirectory(t), {
      TCP_HOST: '127.0.0.1',
      TCP_PROCESSES: '1',
      TCP_MAX_CONNECTIONS: '12000',
      TCP_IDENTIFY_TIMEOUT: '1m',
      KAFKA_BROKERS: '',
      ...env,
    });
    const good = await Device.identified(gateway.port);
    const sockets: Socket[] = [];
    while (sockets.length < CONNECTIONS) {
      await waitFor(
        'they are accepted',
        () => sockets.length - gateway.stats.connections.accepted < MAX_UNACCEPTED,
      );
      const socket = connect({ port: gateway.port, host: '127.0.0.1' });
      socket.on('error', () => socket.destroy());
      socket.once('data', () => attack(socket));
      socket.on('data', () => {});
      socket.write(IDENTIFY);
      sockets.push(socket);
    }
    await waitFor('all have connected', () => gateway.stats.connections.accepted > CONNECTIONS);
    const beganMs = performance.now();
    const worst: number[] = [];
    let held = 0;
    while (performance.now() - beganMs < ATTACK_MS) {
      const sentMs = performance.now();
      if (env.KAFKA_BUFFER_BYTES === undefined) await assertAlive(good);
      worst.push(performance.now() - sentMs);
      held = Math.max(held, gateway.stats.connections.bufferBytes);
      await sleep(100);
    }
    worst.sort((a, b) => a - b);
    const { connections, lines } = gateway.stats;
    const rss = peakMiB(gateway.pid ?? 0);
    const { overloaded, slow_reader: slow } = lines.refused;
    t.diagnostic(
      `peak RSS ${rss} MiB, held at most ${Math.round(held / MIB)} MiB of ` +
        `${connections.bufferCapacityBytes / MIB}, ${connections.active} open, ${connections.paused} paused, ` +
        `${overloaded} overloaded, ${slow} slow readers; keepalives of a good device: median ` +
        `${Math.round(worst[worst.length >> 1] ?? 0)} ms, longest ${Math.round(worst.at(-1) ?? 0)} ms`,
    );
    for (const socket of sockets) socket.destroy();
    assert.ok(held <= 1.02 * connections.bufferCapacityBytes, `${held} bytes held`);
    assert.ok(rss < MAX_RSS_MIB, `${rss} MiB`);
  });
}
