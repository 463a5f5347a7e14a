// Attacks with connections: many, slow, short or broken ones.
import type { Attack } from '../attack.ts';
import { codes } from '../evidence.ts';
import type { Arena } from './arena.ts';
import { KEEPALIVE, SMALL_LINE } from './hostile-lines.ts';
import type { HostileSocket } from './hostile-socket.ts';

const TICK_MS = 10;
/** A time-out may come a fifth of a second late, and the attacker hears of it a little later. */
const LATE_MS = 700;
const IDENTIFY_TIMEOUT_MS = 2_000;
const IDENTIFY_TIMEOUT = { TCP_IDENTIFY_TIMEOUT: `${IDENTIFY_TIMEOUT_MS}ms` } as const;

export const CONNECTION_ATTACKS: readonly Attack[] = [
  {
    name: 'slow-loris',
    does: '3,000 connections send a byte every half second, before identify',
    holds: 'they are closed with `identify_timeout`, in time',
    processes: 1,
    minSeconds: 5,
    settings: IDENTIFY_TIMEOUT,
    run: async (arena) => {
      const line = '{"type":"identify","zipcode":"20000","city":"Foeville"}';
      arena.keep(3_000, (socket, index) => {
        noteEnd(arena, socket);
        let at = 0;
        void arena
          .rest(index % 500)
          .then(() => arena.every(500, () => socket.write(line[at++] ?? ' '), socket));
      });
    },
    check: ({ attackers }) => [
      ...codes.expect(attackers.ended, 'identify_timeout'),
      ...inTime(attackers.notes.slowestMs),
    ],
  },
  {
    name: 'byte-by-byte',
    does: '200 devices send their lines one byte at a time, a thousand bytes a second each',
    run: async (arena) => {
      arena.keep(200, (socket, index) => {
        const bytes = Buffer.concat([arena.identify(index), SMALL_LINE, KEEPALIVE]);
        let at = 0;
        void arena.every(
          1,
          () => socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)),
          socket,
        );
      });
    },
  },
  {
    name: 'connect-reset',
    does: '1,000 connections a second that are reset at once',
    run: (arena) => each(arena, 1_000, (socket) => socket.reset()),
  },
  {
    name: 'connect-identify',
    does: '2,000 connections a second that identify with a new zipcode each, send a reading and leave',
    holds: '/metrics exports no more series than before',
    run: (arena) => {
      let next = 0;
      return each(arena, 2_000, (socket) => {
        socket.write(`{"type":"identify","zipcode":"Z${next++}","city":"Foeville"}\n`);
        socket.write(SMALL_LINE);
        socket.end();
      });
    },
    check: ({ series: { before, after } }) =>
      after > before ? [`/metrics exports ${after - before} series more than before`] : [],
  },
  {
    name: 'storm',
    does: '10,000 devices connect at once and identify',
    processes: 2,
    minSeconds: 6,
    settings: { TCP_MAX_CONNECTIONS: '12000' },
    run: async (arena) => {
      for (let index = 0; index < arena.share(10_000); index++) arena.open().write(arena.identify(index));
    },
  },
  {
    name: 'flood-past-cap',
    does: '1,000 connections, opened again and again; 200 are allowed',
    holds: 'never more than 200',
    settings: { TCP_MAX_CONNECTIONS: '200' },
    run: async (arena) => arena.keep(1_000, (socket, index) => socket.write(arena.identify(index))),
    check: ({ attackers, mostConnections }) => [
      ...codes.expect(attackers.ended, 'server_full'),
      ...(mostConnections > 200 ? [`${mostConnections} connections at once`] : []),
    ],
  },
  {
    name: 'flood-one-address',
    does: '1,000 connections from one address, opened again and again; 100 are allowed',
    settings: { TCP_MAX_CONNECTIONS_PER_IP: '100' },
    run: async (arena) =>
      arena.keep(1_000, (socket, index) => socket.write(arena.identify(index)), {
        localAddress: '127.0.9.1',
      }),
    check: ({ attackers }) => codes.expect(attackers.ended, 'server_full'),
  },
  {
    name: 'clumsy-devices',
    does: '40 connections reset in the middle of a line, mix CR LF, send 10,000 lines in one write, or half-close',
    run: async (arena) => {
      const many = Buffer.concat(Array.from({ length: 10_000 }, () => SMALL_LINE));
      const mixed = Buffer.from(`${String(SMALL_LINE).trim()}\r\n${SMALL_LINE}{"type":"keepalive"}\r\n`);
      arena.keep(40, async (socket, index) => {
        socket.write(arena.identify(index));
        if (index % 4 === 0) {
          socket.write(SMALL_LINE.subarray(0, 40));
          await arena.rest(20);
          socket.reset();
        } else if (index % 4 === 1) void arena.every(20, () => socket.isFull || socket.write(mixed), socket);
        else if (index % 4 === 2 && index < 8) void arena.every(500, () => socket.write(many), socket);
        else {
          socket.write(KEEPALIVE);
          socket.end();
        }
      });
    },
  },
  {
    name: 'overload-time-outs',
    does: '100 silent connections, while 20 others send 64 KB lines and line feeds as fast as they can',
    holds: 'the silent ones are closed with `identify_timeout`, in time',
    minSeconds: 5,
    settings: IDENTIFY_TIMEOUT,
    run: async (arena) => {
      arena.keep(20, (socket, index) => {
        socket.write(arena.identify(index));
        const bytes = Buffer.from(index % 2 === 0 ? '\n'.repeat(65_536) : String(SMALL_LINE).repeat(500));
        void arena.flood(socket, () => bytes);
      });
      for (let index = 0; index < 100; index++) noteEnd(arena, arena.open());
    },
    check: ({ attackers }) => [
      ...codes.expect(attackers.ended, 'identify_timeout'),
      ...inTime(attackers.notes.slowestMs),
    ],
  },
];

/** Opens connections at a steady rate, and calls `behaviour` for each once it is open. */
async function each(
  arena: Arena,
  perSecond: number,
  behaviour: (socket: HostileSocket) => void,
): Promise<void> {
  await arena.every(TICK_MS, () => {
    for (let some = 0; some < (perSecond * TICK_MS) / 1000; some++) {
      const socket = arena.open();
      void socket.opened.then(() => behaviour(socket));
    }
  });
}

/** Notes how long the gateway kept the connection. One that it never closed counts until the end. */
function noteEnd(arena: Arena, socket: HostileSocket): void {
  void socket.opened.then(async () => {
    const startMs = performance.now();
    await Promise.race([socket.closed, arena.rest()]);
    const keptMs = performance.now() - startMs;
    if (!arena.signal.aborted || keptMs > IDENTIFY_TIMEOUT_MS) arena.note('slowestMs', keptMs);
  });
}

function inTime(slowestMs: number | undefined): string[] {
  if (slowestMs === undefined) return ['no connection was closed'];
  if (slowestMs <= IDENTIFY_TIMEOUT_MS + LATE_MS) return [];
  return [`a time-out of ${IDENTIFY_TIMEOUT_MS} ms took ${Math.round(slowestMs)} ms`];
}
