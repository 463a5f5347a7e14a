// The sums over all processes of a run, and the rates and latencies since the last look at them.
import type { ReaderReport } from '../verification/reader-process.ts';
import { addCounts, type Counts, type DeviceReport, noCounts, Tally } from './counters.ts';
import { Histogram, type LatencySummary } from './histogram.ts';
import type { Latencies } from './result.ts';

/** Since the last takeRecent(). */
export interface Recent {
  readonly sentPerSecond: number;
  readonly confirmedPerSecond: number;
  readonly deliveredPerSecond: number;
  readonly confirmed: LatencySummary;
  readonly consumed: LatencySummary;
}

export class Totals {
  readonly #devices = new Map<number, DeviceReport>();
  readonly #confirmed = { all: new Histogram(), recent: new Histogram() };
  readonly #consumed = { all: new Histogram(), recent: new Histogram() };
  readonly #written = new Histogram();
  #recentAtMs = performance.now();
  #before = { messages: 0, confirmed: 0, delivered: 0 };
  delivered = 0;

  /** @param process its number */
  addDevices(process: number, report: DeviceReport): void {
    this.#devices.set(process, report);
    this.#confirmed.all.add(report.confirmed);
    this.#confirmed.recent.add(report.confirmed);
    this.#written.add(report.written);
  }

  addReader({ delivered, consumed }: ReaderReport): void {
    this.delivered = delivered;
    this.#consumed.all.add(consumed);
    this.#consumed.recent.add(consumed);
  }

  get counts(): Counts {
    const sum = noCounts();
    for (const { counts } of this.#devices.values()) addCounts(sum, counts);
    return sum;
  }

  get cpuSeconds(): number {
    return [...this.#devices.values()].reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  }

  get codes(): Readonly<Record<string, number>> {
    return this.#tally(({ codes }) => codes);
  }

  get errors(): Readonly<Record<string, number>> {
    return this.#tally(({ errors }) => errors);
  }

  /** Latencies since the last call. */
  takeLatencies(): Latencies {
    const taken = {
      ...(this.#confirmed.all.count > 0 && { confirmed: this.#confirmed.all.summary() }),
      ...(this.#consumed.all.count > 0 && { consumed: this.#consumed.all.summary() }),
      written: this.#written.summary(),
    };
    for (const histogram of [this.#confirmed.all, this.#consumed.all, this.#written]) histogram.take();
    return taken;
  }

  takeRecent(): Recent {
    const { messages, confirmed } = this.counts;
    const now = { messages, confirmed, delivered: this.delivered };
    const nowMs = performance.now();
    const seconds = (nowMs - this.#recentAtMs) / 1000 || 1;
    const recent = {
      sentPerSecond: (now.messages - this.#before.messages) / seconds,
      confirmedPerSecond: (now.confirmed - this.#before.confirmed) / seconds,
      deliveredPerSecond: (now.delivered - this.#before.delivered) / seconds,
      confirmed: this.#confirmed.recent.summary(),
      consumed: this.#consumed.recent.summary(),
    };
    this.#before = now;
    this.#recentAtMs = nowMs;
    this.#confirmed.recent.take();
    this.#consumed.recent.take();
    return recent;
  }

  #tally(of: (report: DeviceReport) => Readonly<Record<string, number>>): Readonly<Record<string, number>> {
    const sum = new Tally();
    for (const report of this.#devices.values()) sum.addAll(of(report));
    return sum.all;
  }
}
