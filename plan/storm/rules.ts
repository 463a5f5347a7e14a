// How long a device waits before it connects again: the rules of docs/protocol.md, and others to compare them with. A
// rule knows only why the last attempt failed and how many failed in a row.
import { type BackoffOptions, backoffMs } from '../../src/time/backoff.ts';

/** How an attempt ended: without a word, with `server_full`, or before the TLS handshake was done. */
export type Failure = 'noReply' | 'serverFull' | 'handshake';

export interface Rule {
  readonly name: string;
  /** For people: the waits in words. */
  readonly about: string;
  /** @param failures in a row, 1 = the first */
  waitMs(failure: Failure, failures: number, random: () => number): number;
}

/** The waits of the table "Reconnecting" in docs/protocol.md. A test compares them with the page. */
export const PROTOCOL_WAITS: Readonly<Record<Failure, BackoffOptions>> = {
  noReply: { firstMs: 1000, maxMs: 60_000 },
  serverFull: { firstMs: 5000, maxMs: 300_000 },
  handshake: { firstMs: 5000, maxMs: 300_000 },
};

const FIXED: BackoffOptions = { firstMs: 1000, maxMs: 1000 };
const ONE_MINUTE = PROTOCOL_WAITS.noReply;
const FIVE_MINUTES: BackoffOptions = { firstMs: 1000, maxMs: 300_000 };

const nominalMs = ({ firstMs, maxMs }: BackoffOptions, failures: number): number =>
  Math.min(maxMs, firstMs * 2 ** Math.min(30, failures - 1));

/** Up to half of the wait comes on top at random, as the clients in examples/devices have it. */
const longerMs = (waits: BackoffOptions, failures: number, random: () => number): number =>
  nominalMs(waits, failures) * (1 + random() / 2);

export const PROTOCOL: Rule = {
  name: 'protocol',
  about:
    'docs/protocol.md: 1 s (5 s after a failed handshake or `server_full`), doubled up to 1 minute (5 minutes), and at random up to half of it more',
  waitMs: (failure, failures, random) => longerMs(PROTOCOL_WAITS[failure], failures, random),
};

export const RULES: readonly Rule[] = [
  PROTOCOL,
  {
    name: 'fixed',
    about: '1 s, always the same',
    waitMs: () => FIXED.firstMs,
  },
  {
    name: 'fixed-jitter',
    about: '1 s, and at random up to half of it more',
    waitMs: (_failure, _failures, random) => longerMs(FIXED, 1, random),
  },
  {
    name: 'no-jitter',
    about: 'the waits of docs/protocol.md without jitter',
    waitMs: (failure, failures) => nominalMs(PROTOCOL_WAITS[failure], failures),
  },
  {
    name: 'half-jitter',
    about:
      'the waits of docs/protocol.md, but half of each wait is random, as when the gateway waits for Kafka',
    waitMs: (failure, failures, random) => backoffMs(failures, PROTOCOL_WAITS[failure], random),
  },
  {
    name: 'full-jitter',
    about: 'the waits of docs/protocol.md, but each wait is random between 0 and its full length',
    waitMs: (failure, failures, random) => nominalMs(PROTOCOL_WAITS[failure], failures) * random(),
  },
  {
    name: 'one-minute',
    about: 'as docs/protocol.md, but a failed handshake counts like any other: 1 s, doubled up to 1 minute',
    waitMs: (_failure, failures, random) => longerMs(ONE_MINUTE, failures, random),
  },
  {
    name: 'five-minutes',
    about: '1 s doubled up to 5 minutes, whatever failed, and at random up to half of it more',
    waitMs: (_failure, failures, random) => longerMs(FIVE_MINUTES, failures, random),
  },
];

/** @throws RangeError if there is none of this name */
export function ruleOf(name: string): Rule {
  const rule = RULES.find((one) => one.name === name);
  if (rule === undefined) throw new RangeError(`no rule is called ${name}`);
  return rule;
}
