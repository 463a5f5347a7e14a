// The entry of the process that reads the topic back and verifies it. Serves the calls of LoadProcesses.
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadPlan, readingsOf } from '../plan.ts';
import { serveCalls } from '../processes/child.ts';
import { Clock } from '../processes/clock.ts';
import { Histogram, type PackedHistogram } from '../report/histogram.ts';
import type { DeviceAccount } from './ledger.ts';
import { Patience } from './patience.ts';
import { TopicReader } from './topic-reader.ts';
import { TopicVerifier, type Verdict } from './verifier.ts';

export interface ReaderReport {
  readonly delivered: number;
  /** Since the last report. */
  readonly consumed: PackedHistogram;
}

export interface ReaderCalls {
  /** Notes where the topic ends. If the topic is read live, begins to read. */
  start(options: {
    readonly plan: LoadPlan;
    readonly run: string;
    readonly clockOffsetUs: number;
  }): Promise<void>;
  /** Latencies of readings that were due earlier do not count. */
  measureFrom(options: { readonly us: number }): void;
  /**
   * Reads until nothing is missing, or for `settleMs` nothing new came although Kafka answered. Gives up once
   * nothing could be read for `reconnectMs`.
   */
  settle(options: {
    readonly accounts: readonly DeviceAccount[];
    readonly settleMs: number;
    readonly reconnectMs: number;
  }): Promise<Verdict>;
  stop(options: Record<string, never>): Promise<void>;
}

const REPORT_MS = 250;
const POLL_MS = 50;

const consumed = new Histogram();
let reader: TopicReader | undefined;
let verifier: TopicVerifier | undefined;
let clock = new Clock();
let measureFromUs = 0;
let live = false;

function onBatch(values: readonly Buffer[]): void {
  const nowUs = clock.nowUs();
  for (const value of values) {
    const dueUs = verifier?.add(value);
    if (live && dueUs !== undefined && dueUs >= measureFromUs) consumed.record(nowUs - dueUs);
  }
}

function parts(): { reader: TopicReader; verifier: TopicVerifier } {
  if (reader === undefined || verifier === undefined) throw new Error('start first');
  return { reader, verifier };
}

const report = () => {
  const report: ReaderReport = { delivered: verifier?.delivered ?? 0, consumed: consumed.take() };
  channel.report(report);
};

const channel = serveCalls<ReaderCalls>({
  async start({ plan, run, clockOffsetUs }) {
    if (plan.readBack === undefined) throw new Error('nothing to read');
    clock = new Clock(clockOffsetUs);
    live = plan.readBack.live;
    verifier = new TopicVerifier({
      run,
      devices: plan.connections,
      readings: readingsOf(plan.shape),
      tags: plan.tags,
    });
    reader = new TopicReader(plan.readBack, `sluice-load-${run}`, { batch: onBatch });
    await reader.noteStart();
    if (live) await reader.start();
    setInterval(report, REPORT_MS).unref();
  },

  measureFrom({ us }) {
    measureFromUs = us;
  },

  async settle({ accounts, settleMs, reconnectMs }) {
    const { reader, verifier } = parts();
    void reader.start().catch(() => {});
    const patience = new Patience(settleMs);
    for (;;) {
      // Even if nothing is missing: the rest of the topic may hold copies.
      const unread = await reader.readToEnd(reconnectMs);
      const verdict = verifier.verdict(accounts);
      // Time without Kafka does not count: the gateway could not deliver either.
      const waits = verdict.lost > 0 && patience.lasts(`${verifier.delivered} ${reader.interruptions}`);
      if (unread !== undefined || !waits) {
        report();
        return { ...verdict, ...(unread !== undefined && { unread }) };
      }
      await sleep(POLL_MS);
    }
  },

  async stop() {
    await reader?.stop();
  },
});
