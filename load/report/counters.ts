// The counters of one process of devices, and their sum over all processes.
import { Histogram, type PackedHistogram } from './histogram.ts';

/** Counts since the start of the run, except `open` and `away`. */
const NO_COUNTS = {
  /** Lines with bad ones, and their bytes. */
  lines: 0,
  bytes: 0,
  /** The good lines. */
  messages: 0,
  /** Of the messages: confirmed with `stored`, and refused. */
  confirmed: 0,
  refused: 0,
  /** Of the messages: without a reply when their connection ended. */
  unanswered: 0,
  /** Of the messages: without a reply at the end of the run, on an open connection. */
  unconfirmed: 0,
  /** Due, but not sent before the end of the load. */
  unsent: 0,
  bad: 0,
  /** Bad lines refused with the right code. */
  badRefused: 0,
  /** Bad lines with a wrong reply or none. If the connection broke, they do not count. */
  badWrong: 0,
  open: 0,
  connects: 0,
  /** Devices without a connection at the end of the load, except those that left as planned. */
  away: 0,
  /** Connections that ended although the device did not close them. */
  breaks: 0,
};

export type Counts = typeof NO_COUNTS;

export const noCounts = (): Counts => ({ ...NO_COUNTS });

export function addCounts(sum: Counts, more: Counts): void {
  for (const name of Object.keys(NO_COUNTS) as (keyof Counts)[]) sum[name] += more[name];
}

/** Counts texts from outside. The number of different texts is bounded. */
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

/** The report of a process of devices: counts since the start, latencies since its last report. */
export interface DeviceReport {
  readonly counts: Counts;
  /** Codes of `error` and `closing` replies. */
  readonly codes: Readonly<Record<string, number>>;
  /** Codes of socket errors. */
  readonly errors: Readonly<Record<string, number>>;
  readonly confirmed: PackedHistogram;
  readonly written: PackedHistogram;
  /** User and system time of the process so far. */
  readonly cpuSeconds: number;
}

/** The counters of a running process of devices. */
export class DeviceStats {
  readonly counts = noCounts();
  readonly codes = new Tally();
  readonly errors = new Tally();
  /** From the time a message was due to its `stored`. */
  readonly confirmed = new Histogram();
  /** From the time a message was due to its write: the delay by the load itself and by a full socket. */
  readonly written = new Histogram();
  /** Latencies of messages that were due before this time do not count; microseconds on the run's clock. */
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
