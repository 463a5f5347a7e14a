// All processes of a run: the ones with devices, and the one that reads the topic back.
import type { DeviceCalls } from '../devices/device-process.ts';
import type { Phase } from '../devices/fleet.ts';
import type { LoadPlan } from '../plan.ts';
import type { DeviceReport } from '../report/counters.ts';
import { Totals } from '../report/totals.ts';
import type { DeviceAccount } from '../verification/ledger.ts';
import type { ReaderCalls, ReaderReport } from '../verification/reader-process.ts';
import type { Verdict } from '../verification/verifier.ts';
import { Child } from './child.ts';
import type { Clock } from './clock.ts';

const DEVICE_PROCESS = new URL('../devices/device-process.js', import.meta.url);
const READER_PROCESS = new URL('../verification/reader-process.js', import.meta.url);
const OPEN_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5_000;

export class LoadProcesses {
  readonly totals = new Totals();
  readonly #plan: LoadPlan;
  readonly #devices: readonly Child<DeviceCalls, DeviceReport>[];
  readonly #reader: Child<ReaderCalls, ReaderReport> | undefined;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.#devices = Array.from(
      { length: plan.processes },
      (_, number) =>
        new Child<DeviceCalls, DeviceReport>(DEVICE_PROCESS, {
          onReport: (report) => this.totals.addDevices(number, report),
        }),
    );
    this.#reader =
      plan.readBack &&
      new Child<ReaderCalls, ReaderReport>(READER_PROCESS, {
        onReport: (report) => this.totals.addReader(report),
      });
  }

  /** Rejects with ChildError if Kafka cannot be read, or if a process may not open enough files. */
  async setUp(run: string, clock: Clock): Promise<void> {
    const plan = this.#plan;
    const clockOffsetUs = clock.offsetUs;
    await Promise.all([
      this.#reader?.call('start', { plan, run, clockOffsetUs }),
      ...this.#devices.map((child, process) => child.call('setUp', { plan, run, process, clockOffsetUs })),
    ]);
  }

  async open(): Promise<void> {
    await this.#each((child) => child.call('open', { timeoutMs: OPEN_TIMEOUT_MS }));
  }

  async run(phase: Phase, rampMs: number): Promise<void> {
    await this.#reader?.call('measureFrom', { us: phase.measureFromUs });
    await this.#each((child) => child.call('run', { phase, rampMs }));
  }

  async drain(): Promise<DeviceAccount[]> {
    const { settleMs } = this.#plan;
    return (await this.#each((child) => child.call('drain', { settleMs }))).flat();
  }

  async close(): Promise<DeviceAccount[]> {
    return (await this.#each((child) => child.call('close', { timeoutMs: CLOSE_TIMEOUT_MS }))).flat();
  }

  /** Undefined if the topic is not read. */
  async settle(accounts: readonly DeviceAccount[]): Promise<Verdict | undefined> {
    const { settleMs, reconnectMs } = this.#plan;
    return this.#reader?.call('settle', { accounts, settleMs, reconnectMs });
  }

  /** Ends the load as if its time were over. */
  async stopEarly(): Promise<void> {
    await this.#each((child) => child.call('stopEarly', {})).catch(() => {});
  }

  /** Ends all processes. */
  async stop(): Promise<void> {
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS).unref());
    await Promise.race([this.#reader?.call('stop', {}).catch(() => {}), timeout]);
    await Promise.all([this.#reader?.stop(), ...this.#devices.map((child) => child.stop())]);
  }

  #each<T>(call: (child: Child<DeviceCalls, DeviceReport>) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#devices.map(call));
  }
}
