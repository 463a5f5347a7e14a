// What a process of devices counts, and how the processes' counts become one.
import { Histogram, type PackedHistogram } from './histogram.ts';

/** All since the start, `open` now. */
export interface Counts {
  /** Lines, bad ones included, and their bytes. */
  lines: number;
  bytes: number;
  /** Messages, which are the good lines. */
  messages: number;
  /** Of these: called stored; refused. */
  confirmed: number;
  refused: number;
  /** Of these: cut off without an answer by the end of their connection. */
  unanswered: number;
  /** Of these: no answer at the end, although the connection stood. */
  unconfirmed: number;
  /** Due and not sent until the end of the load. */
  unsent: number;
  bad: number;
  /** Bad lines refused with the code that they must be refused with. */
  badRefused: number;
  /** Bad lines with another answer or none; those whose connection broke do not count. */
  badWrong: number;
  open: number;
  connects: number;
  /** Devices that had no connection when the load ended, and not by plan. */
  away: number;
  /** Connections that ended without being asked to. */
  breaks: number;
}

const NO_COUNTS: Counts = {
  lines: 0,
  bytes: 0,
  messages: 0,
  confirmed: 0,
  refused: 0,
  unanswered: 0,
  unconfirmed: 0,
  unsent: 0,
  bad: 0,
  badRefused: 0,
  badWrong: 0,
  open: 0,
  connects: 0,
  away: 0,
  breaks: 0,
};

export const noCounts = (): Counts => ({ ...NO_COUNTS });

export function addCounts(sum: Counts, more: Counts): void {
  for (const name of Object.keys(NO_COUNTS) as (keyof Counts)[]) sum[name] += more[name];
}

/** A text from outside and how often; the number of different ones is bounded. */
export class Tally {
  static readonly #MAX_NAMES = 50;
  readonly all: Record<string, number> = {};

  add(name: string, times = 1): void {
    const known = Object.hasOwn(this.all, name) || Object.keys(this.all).length < Tally.#MAX_NAMES;
    const key = known ? name : 'others';
    this.all[key] = (this.all[key] ?? 0) + times;
  }

  addAll(more: Readonly<Record<string, number>>): void {
    for (const [name, times] of Object.entries(more)) this.add(name, times);
  }
}

/** What a process of devices tells now and then: counts since the start, latencies since it last told. */
export interface DeviceReport {
  readonly counts: Counts;
  /** Codes of refusals and closings. */
  readonly codes: Readonly<Record<string, number>>;
  /** Codes of socket errors. */
  readonly errors: Readonly<Record<string, number>>;
  readonly confirmed: PackedHistogram;
  readonly written: PackedHistogram;
  /** User and system, since the process began. */
  readonly cpuSeconds: number;
}

/** The same while it is being made. */
export class DeviceStats {
  readonly counts = noCounts();
  readonly codes = new Tally();
  readonly errors = new Tally();
  /** From when a message was due to its `stored`. */
  readonly confirmed = new Histogram();
  /** From when it was due to when it was handed to its socket: the load's own delay and that of a full socket. */
  readonly written = new Histogram();
  /** Messages that were due before do not count in the latencies; microseconds on the run's clock. */
  measureFromUs = 0;

  report(): DeviceReport {
    const { user, system } = process.cpuUsage();
    return {
      counts: { ...this.counts },
      codes: { ...this.codes.all },
      errors: { ...this.errors.all },
      confirmed: this.confirmed.take(),
      written: this.written.take(),
      cpuSeconds: (user + system) / 1e6,
    };
  }
}
