// Attacks by devices that keep to the protocol: too many good lines, and the identity of another device.
import type { Attack } from '../attack.ts';
import { codes } from '../evidence.ts';
import { LARGE_LINE, SMALL_LINES } from './hostile-lines.ts';

const TWIN = 'twin-of-the-roof';
const TWIN_SECONDS = 3;
/** One of the twins must keep its connection for this long. */
const MIN_HELD_MS = 1_500;
/** Timers of the gateway are right to a fifth of a second. */
const MIN_GUESS_MS = 800;

export const NOISY_ATTACKS: readonly Attack[] = [
  {
    name: 'noisy-small',
    does: 'one device sends good small lines as fast as it can',
    run: async (arena) => {
      const socket = arena.open();
      socket.write(arena.identify(0));
      await arena.flood(socket, () => SMALL_LINES);
    },
  },
  {
    name: 'noisy-large',
    does: 'one device sends good lines of 60 KB as fast as it can',
    run: async (arena) => {
      const socket = arena.open();
      socket.write(arena.identify(0));
      await arena.flood(socket, () => LARGE_LINE);
    },
  },
  {
    name: 'two-of-one-id',
    does: 'two devices with one `device_id` connect again at once whenever they are closed',
    holds: 'after some takeovers one of them keeps its connection, and the log names the id',
    minSeconds: TWIN_SECONDS,
    run: async (arena) => {
      for (const seat of [0, 1]) void takeOver(arena, seat);
    },
    check: ({ attackers: { notes }, log }) => [
      ...((notes.longestMs ?? 0) < MIN_HELD_MS
        ? [`no twin kept its connection for more than ${Math.round(notes.longestMs ?? 0)} ms`]
        : []),
      ...(log.some((line) => line.includes(TWIN)) ? [] : ['the log does not name the id']),
    ],
  },
  {
    name: 'guess-tokens',
    does: '500 connections guess a token for the id of another device, again at once when they are closed',
    holds: 'every guess is answered `unauthorized`, none in less than a second',
    needsToken: true,
    minSeconds: 5,
    run: async (arena) => {
      let guesses = 0;
      arena.keep(500, (socket) => {
        const { process } = arena.options;
        socket.write(arena.identify(guesses, TWIN, `guess ${process} ${guesses++}`));
        const startMs = performance.now();
        void socket.closed.then(() => {
          if (!arena.signal.aborted && performance.now() - startMs < MIN_GUESS_MS) arena.add('early');
        });
      });
    },
    check: ({ attackers: { ended, notes } }) => [
      ...codes.only(ended, 'unauthorized'),
      ...(notes.early === undefined ? [] : [`${notes.early} guesses were answered at once`]),
    ],
  },
];

async function takeOver(arena: Parameters<Attack['run']>[0], seat: number): Promise<void> {
  while (!arena.signal.aborted) {
    const socket = arena.open();
    socket.write(arena.identify(seat, TWIN));
    const startMs = performance.now();
    await Promise.race([socket.closed, arena.rest()]);
    arena.note('longestMs', performance.now() - startMs);
  }
}
