// Attacks with lines: cheap to send, and expensive to refuse or to accept.
import type { Attack } from '../attack.ts';
import { type Evidence, foreignProblem } from '../evidence.ts';
import type { Arena, Behaviour } from './arena.ts';
import {
  CONTROL_IDS,
  CUT_CHARACTER,
  DEEP_NESTING,
  DUPLICATE_KEYS,
  HOSTILE_JSON,
  INVALID_UTF8,
  LINE_FEEDS,
  REFUSED_LINES,
  TINY_FIELDS,
  UNKNOWN_KEYS,
} from './hostile-lines.ts';

const CONNECTIONS = 30;
/** 193 KB a second from all of them. */
const FEEDS_PER_TICK = 64;
const FEEDS_TICK_MS = 10;
const REFUSED_PER_TICK = 20;
const REFUSED_TICK_MS = 10;
const FULL_LINES_CONNECTIONS = 10;

export const LINE_ATTACKS: readonly Attack[] = [
  {
    name: 'line-feeds-before',
    does: '30 connections send nothing but line feeds before identify, 193 KB/s in all',
    run: (arena) => paced(arena, CONNECTIONS, { tickMs: FEEDS_TICK_MS, bytes: () => feeds(FEEDS_PER_TICK) }),
  },
  {
    name: 'line-feeds-after',
    does: 'the same after identify',
    run: (arena) =>
      paced(arena, CONNECTIONS, {
        identify: true,
        tickMs: FEEDS_TICK_MS,
        bytes: () => feeds(FEEDS_PER_TICK),
      }),
  },
  {
    name: 'line-feeds-flood',
    does: '30 connections send line feeds as fast as they can, half of them before identify',
    run: async (arena) =>
      arena.keep(CONNECTIONS, (socket, index) => {
        if (index % 2 === 0) socket.write(arena.identify(index));
        void arena.flood(socket, () => LINE_FEEDS);
      }),
  },
  {
    name: 'refused-lines',
    does: '30 connections send 2,000 lines a second each that are refused, of each kind in turn',
    run: (arena) => {
      let next = 0;
      const some = () =>
        Buffer.concat(
          Array.from(
            { length: REFUSED_PER_TICK },
            () => REFUSED_LINES[next++ % REFUSED_LINES.length] ?? feeds(1),
          ),
        );
      return paced(arena, CONNECTIONS, { identify: true, tickMs: REFUSED_TICK_MS, bytes: some });
    },
  },
  fullLines('tiny-fields', 'lines of 64 KB of tiny fields, readings or pairs', TINY_FIELDS),
  fullLines('unknown-keys', 'lines of 64 KB of unknown top-level keys, which are accepted', UNKNOWN_KEYS),
  fullLines('duplicate-keys', 'lines of up to 64 KB with duplicate keys', DUPLICATE_KEYS),
  fullLines('deep-nesting', 'lines of 64 KB of nested arrays and objects', DEEP_NESTING),
  {
    name: 'hostile-json',
    does: '10 connections send hostile JSON: `__proto__`, 1e400, huge integers, a BOM, lone surrogates, `null`',
    run: (arena) => {
      const all = Buffer.concat(HOSTILE_JSON);
      return paced(arena, 10, { identify: true, tickMs: 20, bytes: () => all });
    },
  },
  {
    name: 'invalid-utf8',
    does: '20 connections send bytes that are not UTF-8, also cut at the edge of a packet',
    run: (arena) => {
      const all = Buffer.concat(INVALID_UTF8);
      let cut = false;
      return paced(arena, 20, {
        identify: true,
        tickMs: 10,
        bytes: () => {
          cut = !cut;
          return cut ? Buffer.concat([all, CUT_CHARACTER.head]) : Buffer.concat([CUT_CHARACTER.tail, all]);
        },
      });
    },
  },
  {
    name: 'control-characters',
    does: '20 connections identify with CR, LF, ESC and bidi characters in every field',
    holds: 'no such character in the log, and no record',
    settings: { LOG_LEVEL: 'debug' },
    run: async (arena) => {
      arena.keep(20, (socket, index) => {
        let next = index;
        void arena.every(
          50,
          () => socket.write(CONTROL_IDS[next++ % CONTROL_IDS.length] ?? LINE_FEEDS),
          socket,
        );
      });
      arena.keep(5, (socket) => socket.write('GET /\x1b[2J\r\x9b31m\u202e HTTP/1.1\r\n\r\n'));
    },
    check: (evidence) => [...foreignProblem(evidence), ...controlProblem(evidence)],
  },
];

interface Pace {
  readonly identify?: boolean;
  readonly tickMs: number;
  readonly bytes: () => Buffer;
}

/** Connections that send at a steady rate, however slow the target is. */
async function paced(arena: Arena, count: number, { identify = false, tickMs, bytes }: Pace): Promise<void> {
  arena.keep(count, (socket, index) => {
    if (identify) socket.write(arena.identify(index));
    // If the target does not read, nothing more is sent.
    void arena.every(tickMs, () => socket.isFull || socket.write(bytes()), socket);
  });
}

function fullLines(name: string, does: string, lines: readonly Buffer[]): Attack {
  const behaviour =
    (arena: Arena): Behaviour =>
    (socket, index) => {
      let next = index;
      socket.write(arena.identify(index));
      void arena.flood(socket, () => lines[next++ % lines.length] ?? LINE_FEEDS);
    };
  return {
    name,
    does: `${FULL_LINES_CONNECTIONS} connections send ${does}, as fast as they can`,
    run: async (arena) => arena.keep(FULL_LINES_CONNECTIONS, behaviour(arena)),
  };
}

const feeds = (count: number): Buffer => LINE_FEEDS.subarray(0, count);

/** Characters that move the cursor of a terminal, or turn the direction of its text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the check looks for them
const DANGEROUS = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

function controlProblem({ log }: Evidence): string[] {
  const bad = log.filter((line) => DANGEROUS.test(line));
  return bad.length === 0 ? [] : [`${bad.length} lines of the log have control characters`];
}
