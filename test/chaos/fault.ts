// What a fault is, and the steps that most of them share.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Env } from '../support/gateway-process.ts';
import type { Stage } from './stage.ts';

export interface Fault {
  readonly name: string;
  readonly brokers: 1 | 3;
  /** On a Kafka whose clients log in, and have to do so again every few seconds. */
  readonly login?: boolean;
  /** It decides how the gateway starts, or what may be missing: no other fault in its round. */
  readonly alone?: boolean;
  readonly env?: Env;
  /** Before the gateway starts, in place of a topic and a first flow of records. Throws FaultSkipped. */
  readonly prepare?: (stage: Stage) => Promise<void>;
  /** Plays it and takes it away again, under load before and after. Rejects where it was not seen to bite. */
  readonly apply: (stage: Stage) => Promise<Outcome>;
  /** Undoes what prepare did outside the stage. */
  readonly cleanUp?: (stage: Stage) => Promise<void>;
  /** Dead letters are expected. */
  readonly refuses?: boolean;
}

export interface Outcome {
  /** How it was seen to bite. */
  readonly bite: string;
  /** What the limit is for: until records flow again, or until the gateway has ended. */
  readonly tookMs?: number | undefined;
  readonly limitMs?: number | undefined;
  /** Until the spool was drained. */
  readonly drainedMs?: number | undefined;
  readonly cpuShare?: number | undefined;
  /** What must not be, in words, when the round could go on all the same. */
  readonly wrong?: readonly string[];
}

/** The machine does not allow it. */
export class FaultSkipped extends Error {}

/** Records flow again so long after the broker is back. */
export const BROKER_BACK_MS = 10_000;
/** What a leader's death may cost. */
export const LEADER_LOST_MS = 15_000;
/** SHUTDOWN_TIMEOUT's default, and a second for the end of the process itself. */
export const SHUTDOWN_MS = 11_000;
/** Of one core, without load. */
export const QUIET_CPU_SHARE = 0.1;
const QUIET_BEFORE_MS = 500;
const QUIET_MS = 3_000;

/** Notes how things stand, to tell later what a fault did. */
export function mark(stage: Stage) {
  const { gateway, proxies } = stage;
  const before = gateway.stats;
  const logged = gateway.log.length;
  const connections = proxies.map(({ counters }) => counters.connections);
  return {
    retries: () => gateway.stats.kafka.retries - before.kafka.retries,
    spooledBatches: () => gateway.stats.spool.batchesWritten - before.spool.batchesWritten,
    connections: () =>
      proxies.reduce((sum, { counters }, i) => sum + counters.connections - (connections[i] ?? 0), 0),
    said: (pattern: RegExp) => gateway.said(pattern, logged),
    text() {
      return `${this.retries()} retries, ${this.spooledBatches()} batches spooled, ${this.connections()} connections`;
    },
  };
}

/** Resolves when batches were written to the spool because of the fault. */
export async function spooling(
  stage: Stage,
  { marked, deadlineMs }: { marked: ReturnType<typeof mark>; deadlineMs?: number },
): Promise<void> {
  await stage.wait('the spool is used', () => marked.spooledBatches() > 10, deadlineMs);
}

/** Resolves when so many records are on disk. */
export async function spooledBeyond(stage: Stage, records: number, deadlineMs?: number): Promise<void> {
  await stage.wait('the spool is used', () => stage.gateway.stats.records.spooled > records, deadlineMs);
}

/** The gateway's CPU while Kafka is away and devices are silent. Rejects above the limit. */
export async function quietCpu(stage: Stage): Promise<number> {
  stage.fleet.pause();
  await sleep(QUIET_BEFORE_MS);
  const share = await stage.gateway.cpuShare(QUIET_MS);
  stage.fleet.start();
  if (share >= QUIET_CPU_SHARE) throw new Error(`${percent(share)} of a core in an outage without load`);
  return share;
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** Sends SIGTERM and holds the gateway to its exit code. */
export async function terminated({ gateway }: Stage, expected: number) {
  const { accepted, confirmed } = gateway.stats.records;
  const from = performance.now();
  gateway.signal('SIGTERM');
  const code = await gateway.exited();
  const tookMs = performance.now() - from;
  if (code !== expected)
    throw new Error(`ended with ${code} instead of ${expected} after ${tookMs} ms\n${gateway.logTail()}`);
  return { tookMs, accepted, confirmed };
}

/** From now until records flow, and until the spool is drained. */
export async function recovered(stage: Stage, limitMs = BROKER_BACK_MS) {
  const from = performance.now();
  await stage.flows(1);
  const tookMs = performance.now() - from;
  await stage.caughtUp();
  return { tookMs, limitMs, drainedMs: performance.now() - from };
}
