// All devices of one process: opens, paces, reconnects, drains and closes them.
import { setTimeout as sleep } from 'node:timers/promises';
import { isSlow, type LoadPlan, shareOf } from '../plan.ts';
import { Clock } from '../processes/clock.ts';
import { seededRandom } from '../random.ts';
import { DeviceStats } from '../report/counters.ts';
import type { DeviceAccount } from '../verification/ledger.ts';
import { deviceName, deviceTags } from '../verification/record.ts';
import { Device, type DeviceHost } from './device.ts';
import { LineTexts } from './line-writer.ts';
import { Pace } from './pace.ts';
import { sourceAddress } from './sources.ts';

export interface FleetOptions {
  readonly plan: LoadPlan;
  /** The name of the run. */
  readonly run: string;
  /** The number of this process, from 0. */
  readonly process: number;
  /** Of the clock of the first process. */
  readonly clockOffsetUs: number;
}

/** One phase of the load. Times are microseconds on the run's clock. */
export interface Phase {
  readonly startUs: number;
  readonly endUs: number;
  /** Latencies of messages due earlier do not count. */
  readonly measureFromUs: number;
  /** Messages a second over all processes; 0 = at full speed. */
  readonly rate: number;
}

/** Connections that are opened at the same time. */
const MAX_OPENING = 200;
const POLL_MS = 5;
const CHURN_TICK_MS = 100;
const LOWEST_ZIPCODE = 10_000;

export class Fleet {
  readonly stats = new DeviceStats();
  readonly #options: FleetOptions;
  readonly #clock: Clock;
  readonly #devices: readonly Device[];
  readonly #host: DeviceHost & { writing: boolean; staying: boolean };
  readonly #first: number;
  #stopped = false;
  /** Reconnects owed; the fraction is carried over. */
  #churned = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#clock = new Clock(options.clockOffsetUs);
    const { plan } = options;
    const { first, end } = shareOf(plan.connections, options.process, plan.processes);
    this.#first = first;
    this.#host = {
      ...plan.target,
      texts: new LineTexts(plan, plan.seed),
      clock: this.#clock,
      stats: this.stats,
      random: seededRandom(plan.seed * 1009 + options.process),
      seq: plan.seq,
      linesPerWrite: plan.linesPerWrite,
      window: plan.window,
      badShare: plan.badShare,
      thinkMs: plan.thinkMs,
      plain: plan.lines !== undefined,
      writing: false,
      staying: true,
    };
    this.#devices = Array.from({ length: end - first }, (_, offset) => this.#device(first + offset));
  }

  /** Connects all devices. Resolves when all are identified; rejects after `timeoutMs`. */
  async open(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let next = 0;
    for (;;) {
      let opening = this.#devices.slice(0, next).filter(({ open }) => !open).length;
      for (; next < this.#devices.length && opening < MAX_OPENING; next++, opening++)
        this.#devices[next]?.connect();
      if (opening === 0) return;
      if (this.#stopped) return;
      if (performance.now() > deadline) throw new Error(this.#notOpen(opening));
      await sleep(POLL_MS);
    }
  }

  /** Runs until the end of the phase, or until stop(). With a ramp the connections are opened meanwhile. */
  async run({ startUs, endUs, measureFromUs, rate }: Phase, rampMs: number): Promise<void> {
    this.stats.measureFromUs = measureFromUs;
    if (rampMs > 0) this.#ramp(startUs, rampMs);
    const churn = setInterval(() => this.#churn(CHURN_TICK_MS), CHURN_TICK_MS);
    try {
      if (rate > 0) await this.#runPaced({ startUs, endUs, rate });
      else await this.#runFast(endUs);
    } finally {
      clearInterval(churn);
    }
    const { counts } = this.stats;
    for (const device of this.#devices) counts.unsent += device.forget();
    counts.away = this.#devices.filter(({ open, takesPart }) => takesPart && !open).length;
  }

  /** Waits until every message has its reply, or for `settleMs` no reply came. */
  async drain(settleMs: number): Promise<void> {
    for (const device of this.#devices) device.readFast();
    const { counts } = this.stats;
    let answered = -1;
    let sinceMs = performance.now();
    while (this.#devices.some(({ unconfirmed }) => unconfirmed > 0)) {
      const now = counts.confirmed + counts.refused;
      if (now !== answered) sinceMs = performance.now();
      answered = now;
      if (performance.now() - sinceMs > settleMs) return;
      await sleep(POLL_MS);
    }
  }

  /** Closes all connections in order, and after `timeoutMs` by force. */
  async close(timeoutMs: number): Promise<void> {
    this.#host.staying = false;
    for (const device of this.#devices) device.leave();
    const deadline = performance.now() + timeoutMs;
    while (this.#devices.some(({ gone }) => !gone) && performance.now() < deadline) await sleep(POLL_MS);
    for (const device of this.#devices) {
      device.settle();
      device.destroy();
    }
  }

  accounts(): DeviceAccount[] {
    return this.#devices.map(({ ledger }, offset) => ledger.account(this.#first + offset));
  }

  /** Ends the load early. */
  stop(): void {
    this.#stopped = true;
  }

  async #runPaced({ startUs, endUs, rate }: Pick<Phase, 'startUs' | 'endUs' | 'rate'>): Promise<void> {
    const { plan, process } = this.#options;
    const ownRate = (rate * this.#devices.length) / plan.connections;
    const slotUs = (1e6 * plan.linesPerWrite) / ownRate;
    // Writes of one process fall between those of the others.
    const offsetUs = (slotUs * process) / plan.processes;
    const pace = new Pace(this.#devices, { startUs: startUs + offsetUs, endUs, slotUs });
    while (!this.#stopped) {
      const nowUs = this.#clock.nowUs();
      const nextUs = pace.advance(nowUs) ?? endUs;
      if (nowUs >= endUs) return;
      await sleep(Math.max(1, Math.floor((nextUs - this.#clock.nowUs()) / 1000)));
    }
  }

  async #runFast(endUs: number): Promise<void> {
    this.#host.writing = true;
    for (const device of this.#devices) device.pump();
    while (!this.#stopped && this.#clock.nowUs() < endUs) await sleep(POLL_MS);
    this.#host.writing = false;
  }

  #ramp(startUs: number, rampMs: number): void {
    let next = 0;
    const timer = setInterval(() => {
      const passedMs = (this.#clock.nowUs() - startUs) / 1000;
      const wanted = this.#stopped ? next : Math.ceil((this.#devices.length * passedMs) / rampMs);
      for (; next < Math.min(wanted, this.#devices.length); next++) this.#devices[next]?.connect();
      if (next === this.#devices.length || this.#stopped) clearInterval(timer);
    }, POLL_MS);
  }

  #churn(passedMs: number): void {
    const { churn } = this.#options.plan;
    this.#churned += (churn * this.#devices.length * passedMs) / 1000;
    for (; this.#churned >= 1; this.#churned--) {
      const device = this.#devices[Math.floor(this.#host.random() * this.#devices.length)];
      if (device?.open) device.leave();
    }
  }

  #device(index: number): Device {
    const { plan, run } = this.#options;
    return new Device(this.#host, {
      name: deviceName(run, index),
      zipcode: String(LOWEST_ZIPCODE + (index % plan.zipcodes)),
      token: plan.token,
      deviceId: plan.deviceIds ? deviceName(run, index) : undefined,
      tags: plan.tags === 0 ? undefined : deviceTags(index, plan.tags),
      localAddress: sourceAddress(plan.target.host, index, plan.connections),
      slow: isSlow(index, plan),
    });
  }

  #notOpen(count: number): string {
    const reasons = { ...this.stats.errors.all, ...this.stats.codes.all };
    const why = Object.entries(reasons).map(([code, times]) => `${code} ${times} times`);
    return `${count} of ${this.#devices.length} connections of a process could not be opened (${why.join(', ') || 'no answer to identify'})`;
  }
}
