// Attacks on the TLS port: many devices at once, handshakes that never end, and bytes that are no TLS.
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { seededRandom } from '../../../load/random.ts';
import type { Attack } from '../attack.ts';
import { codes, type Evidence, foreignProblem } from '../evidence.ts';
import type { Arena } from './arena.ts';
import type { HostileSocket } from './hostile-socket.ts';

const STORM_DEVICES = 5_000;
const STORM_SECONDS = 12;
const UNFINISHED = 1_000;
const HANDSHAKE_TIMEOUT_MS = 4_000;
/** A time-out may come a fifth of a second late, and the attacker hears of it a little later. */
const LATE_MS = 700;
const UNFINISHED_SECONDS = 10;
const NEW_DEVICE_EVERY_MS = 500;
const NEW_DEVICE_ADDRESS = '127.0.9.2';
/** From connect to `identified`, beside connections that hold every handshake they get. */
const MAX_IDENTIFIED_MS = 3_500;
const SLOW_TICK_MS = 100;
const SLOW_BYTES = 5;
const RUBBISH_PER_SECOND = 200;
const RUBBISH_TICK_MS = 50;
const SEED = 16;

/** A plain socket, whatever the arena's target is. */
const PLAIN = { tls: undefined } as const;

/** Attacks that let the time for the handshake pass, several times in a run. */
const PAST_TIMEOUT = {
  port: 'tls',
  minSeconds: UNFINISHED_SECONDS,
  settings: { TCP_TLS_HANDSHAKE_TIMEOUT: `${HANDSHAKE_TIMEOUT_MS}ms` },
} as const;

export const TLS_ATTACKS: readonly Attack[] = [
  {
    name: 'tls-storm',
    does: '5,000 devices connect over TLS at once and identify',
    holds: 'all of them are identified',
    port: 'tls',
    processes: 2,
    minSeconds: STORM_SECONDS,
    settings: { TCP_MAX_CONNECTIONS: '12000' },
    run: async (arena) => {
      const devices: HostileSocket[] = [];
      arena.keep(arena.share(STORM_DEVICES), (socket, index) => {
        devices[index] = socket;
        socket.write(arena.identify(index));
      });
      await arena.rest();
      arena.note('waiting', devices.filter(({ heard }) => !heard.includes('"identified"')).length);
    },
    check: ({ attackers: { notes } }) =>
      notes.waiting === 0 ? [] : [`a process has ${notes.waiting} devices that were not identified`],
  },
  {
    name: 'tls-unfinished',
    does: '1,000 connections send a ClientHello and nothing more, opened again and again',
    holds: 'they are closed in time, and new devices from another address are identified within 3.5 s',
    ...PAST_TIMEOUT,
    run: async (arena) => {
      const hello = await clientHello();
      arena.keep(
        UNFINISHED,
        (socket) => {
          socket.write(hello);
          noteEnd(arena, socket);
        },
        PLAIN,
      );
      await arena.every(NEW_DEVICE_EVERY_MS, () => void newDevice(arena));
    },
    check: (evidence) => [...inTime(evidence), ...newcomers(evidence)],
  },
  {
    name: 'tls-slow-hello',
    does: '1,000 connections send a ClientHello, 5 bytes every 100 ms',
    holds: 'they are closed in time',
    ...PAST_TIMEOUT,
    run: async (arena) => {
      const hello = await clientHello();
      arena.keep(
        UNFINISHED,
        (socket, index) => {
          noteEnd(arena, socket);
          let at = 0;
          const next = (): void => {
            socket.write(hello.subarray(at, at + SLOW_BYTES));
            at += SLOW_BYTES;
          };
          void arena.rest(index % SLOW_TICK_MS).then(() => arena.every(SLOW_TICK_MS, next, socket));
        },
        PLAIN,
      );
    },
    check: inTime,
  },
  {
    name: 'tls-rubbish',
    does: 'plain lines, HTTP, random bytes and broken ClientHellos on the TLS port, 200 connections a second',
    holds: 'plain devices hear `tls_required`, others `wrong_protocol` if they speak no TLS; no record',
    port: 'tls',
    run: async (arena) => {
      const firsts = rubbish(await clientHello());
      let next = 0;
      await arena.every(RUBBISH_TICK_MS, () => {
        for (let some = 0; some < (RUBBISH_PER_SECOND * RUBBISH_TICK_MS) / 1000; some++)
          arena.open(PLAIN).write(firsts[next++ % firsts.length] ?? '');
      });
    },
    check: (evidence) => [
      ...codes.expect(evidence.attackers.ended, 'tls_required'),
      ...codes.expect(evidence.attackers.ended, 'wrong_protocol'),
      ...foreignProblem(evidence),
    ],
  },
];

/** The first bytes of Node's own TLS client. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read: () => {}, write: (bytes: Buffer) => resolve(bytes) });
    connect({ socket: wire }).on('error', () => {});
  });
}

function rubbish(hello: Buffer): readonly Buffer[] {
  const random = seededRandom(SEED);
  const broken = Array.from({ length: 20 }, () => {
    const bytes = Buffer.from(hello);
    for (let changes = 0; changes < 3; changes++)
      bytes[5 + Math.floor(random() * (bytes.length - 5))] = Math.floor(random() * 256);
    return bytes;
  });
  const noise = Array.from({ length: 10 }, () =>
    Buffer.from(Array.from({ length: 200 }, () => Math.floor(random() * 256))),
  );
  return [
    ...broken,
    ...noise,
    ...Array.from({ length: 10 }, () =>
      Buffer.from('{"type":"identify","zipcode":"20000","city":"Foeville"}\n'),
    ),
    Buffer.from('GET / HTTP/1.1\r\nHost: host\r\n\r\n'),
    Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'),
    // Records of 65,535 bytes, of none, and an alert in place of a ClientHello.
    Buffer.from('160301ffff010000c40303', 'hex'),
    Buffer.from('1603010000'.repeat(50), 'hex'),
    Buffer.from('15030100020100', 'hex'),
    // Twice the same ClientHello, and one whose record says that it is shorter.
    Buffer.concat([hello, hello]),
    Buffer.concat([Buffer.from('1603010010', 'hex'), hello.subarray(5)]),
  ];
}

/** Notes how long the connection was kept. One that was never closed counts until the end. */
function noteEnd(arena: Arena, socket: HostileSocket): void {
  void socket.opened.then(async () => {
    const startMs = performance.now();
    await Promise.race([socket.closed, arena.rest()]);
    const keptMs = performance.now() - startMs;
    if (!arena.signal.aborted) arena.note('closedMs', keptMs);
    if (!arena.signal.aborted || keptMs > HANDSHAKE_TIMEOUT_MS) arena.note('slowestMs', keptMs);
  });
}

async function newDevice(arena: Arena): Promise<void> {
  const startMs = performance.now();
  const socket = arena.open({ localAddress: NEW_DEVICE_ADDRESS });
  socket.write(arena.identify(0));
  while (!arena.signal.aborted && !socket.isClosed && !socket.heard.includes('"identified"'))
    await arena.rest(20);
  // One that came in the last seconds may still be identified.
  if (socket.isClosed) arena.add('neverIdentified');
  else arena.note('identifiedMs', performance.now() - startMs);
  socket.destroy();
}

function newcomers({ attackers: { notes } }: Evidence): string[] {
  const { neverIdentified = 0, identifiedMs = 0 } = notes;
  return [
    ...(neverIdentified > 0 ? [`${neverIdentified} new devices were never identified`] : []),
    ...(identifiedMs > MAX_IDENTIFIED_MS ? [`a new device waited ${Math.round(identifiedMs)} ms`] : []),
  ];
}

function inTime({ attackers: { notes } }: Evidence): string[] {
  const { closedMs, slowestMs = 0 } = notes;
  if (closedMs === undefined) return ['no connection was closed'];
  if (slowestMs <= HANDSHAKE_TIMEOUT_MS + LATE_MS) return [];
  return [`a time-out of ${HANDSHAKE_TIMEOUT_MS} ms took ${Math.round(slowestMs)} ms`];
}
