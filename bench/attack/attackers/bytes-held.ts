// Attacks on memory: thousands of connections with bytes that the gateway has to hold.
import type { Attack } from '../attack.ts';
import { KEEPALIVE, LINE_FEEDS } from './hostile-lines.ts';

const CONNECTIONS = 10_000;
const PROCESSES = 2;
const SECONDS = 8;
/** Connections that are opened in one turn, so that the attackers also get to send. */
const OPENED_PER_TICK = 100;
const TICK_MS = 20;
const UNFINISHED = Buffer.from(`{"type":"metrics","data":{"a":"${'x'.repeat(63 * 1024 - 31)}`);
const UNFINISHED_IDENTIFY = Buffer.from(`{"type":"identify","city":"${'x'.repeat(63 * 1024 - 27)}`);
const KEEPALIVES = Buffer.concat(Array.from({ length: 1_000 }, () => KEEPALIVE));
/** Refused lines, each with a long reply, within the budget of a connection. */
const ANSWERED = LINE_FEEDS.subarray(0, 500);

export const MEMORY_ATTACKS: readonly Attack[] = [
  {
    name: 'unfinished-first-line',
    does: '10,000 connections send 63 KiB of a first line without its end',
    processes: PROCESSES,
    minSeconds: SECONDS,
    settings: { TCP_MAX_CONNECTIONS: '12000' },
    run: (arena) => opened(arena, (socket) => socket.write(UNFINISHED_IDENTIFY)),
  },
  {
    name: 'unfinished-line',
    does: 'the same after identify',
    processes: PROCESSES,
    minSeconds: SECONDS,
    settings: { TCP_MAX_CONNECTIONS: '12000' },
    run: (arena) =>
      opened(arena, (socket, index) => {
        socket.write(arena.identify(index));
        socket.write(UNFINISHED);
      }),
  },
  {
    name: 'unread-replies',
    does: '10,000 connections ask for replies as fast as they can and read none',
    processes: PROCESSES,
    minSeconds: SECONDS,
    settings: { TCP_MAX_CONNECTIONS: '12000' },
    run: (arena) =>
      opened(
        arena,
        (socket, index) => {
          socket.write(arena.identify(index));
          socket.write(ANSWERED);
          void arena.flood(socket, () => KEEPALIVES);
        },
        { reads: false },
      ),
  },
  {
    name: 'endless-line',
    does: '8 connections send without a line feed, as fast as they can',
    run: async (arena) => {
      const bytes = Buffer.alloc(65_536, 'x');
      arena.keep(8, (socket, index) => {
        if (index % 2 === 0) socket.write(arena.identify(index));
        void arena.flood(socket, () => bytes);
      });
    },
  },
];

async function opened(
  arena: Parameters<Attack['run']>[0],
  behaviour: Parameters<typeof arena.keep>[1],
  options: Parameters<typeof arena.open>[0] = {},
): Promise<void> {
  const count = arena.share(CONNECTIONS);
  let index = 0;
  await arena.every(TICK_MS, () => {
    for (let some = 0; some < OPENED_PER_TICK && index < count; some++)
      behaviour(arena.open(options), index++);
  });
}
