// Defines a fault, and the steps that most faults share.
import { setTimeout as sleep } from 'node:timers/promises';
import { alterConfig } from '../../scripts/kafka/java-tools.ts';
import type { Env } from '../support/gateway-process.ts';
import type { Stage } from './stage.ts';

export interface Fault {
  readonly name: string;
  readonly brokers: 1 | 3;
  /** The cluster wants logins, which expire every few seconds. */
  readonly login?: boolean;
  /** No other fault in its round, because it changes the gateway's start or what may be missing. */
  readonly alone?: boolean;
  readonly env?: Env;
  /** Runs before the gateway's start, instead of creating a topic and a first flow of records. Throws FaultSkipped. */
  readonly prepare?: (stage: Stage) => Promise<void>;
  /** Causes the fault under load and removes it again. Rejects if it was not seen to have an effect. */
  readonly apply: (stage: Stage) => Promise<Outcome>;
  /** Undoes the changes that prepare made outside the stage. */
  readonly cleanUp?: (stage: Stage) => Promise<void>;
  /** Dead letters are expected. */
  readonly refuses?: boolean;
  /** The topic is created again, so Kafka may take a batch in flight ahead of an earlier one. The gateway says so. */
  readonly mayOvertake?: boolean;
}

export interface Outcome {
  /** The effect that was seen. */
  readonly bite: string;
  /** Time until records flow again, or until the gateway has ended. `limitMs` is its limit. */
  readonly tookMs?: number | undefined;
  readonly limitMs?: number | undefined;
  /** Time until the spool was drained. */
  readonly drainedMs?: number | undefined;
  readonly cpuShare?: number | undefined;
  /** Findings that did not stop the round. */
  readonly wrong?: readonly string[];
}

/** The fault cannot be played on this machine. */
export class FaultSkipped extends Error {}

/** Limit from the broker's return until records flow again. */
export const BROKER_BACK_MS = 10_000;
/** Limit from a leader's death until records flow again. */
export const LEADER_LOST_MS = 15_000;
/** The default of SHUTDOWN_TIMEOUT, and a second for the process to exit. */
export const SHUTDOWN_MS = 11_000;
/** Allowed share of one core in an outage without load. */
export const QUIET_CPU_SHARE = 0.1;
const QUIET_BEFORE_MS = 500;
const QUIET_MS = 3_000;

/** Notes the gateway's figures, to tell later what a fault changed. */
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

/** Resolves when batches were written to the spool since `marked`. */
export async function spooling(stage: Stage, marked = mark(stage), deadlineMs?: number): Promise<void> {
  await stage.wait('the spool is used', () => marked.spooledBatches() > 10, deadlineMs);
}

/** Waits between `begin` and `end`, which take Kafka away and bring it back, until the spool is used. */
export async function outage(
  stage: Stage,
  { begin, end }: { begin: () => unknown; end: () => unknown },
): Promise<Outcome> {
  const marked = mark(stage);
  await begin();
  await spooling(stage, marked);
  const cpuShare = await quietCpu(stage);
  await end();
  return { ...(await recovered(stage)), bite: marked.text(), cpuShare };
}

/** Refuses the gateway's connections to Kafka, and breaks those that it has. */
export async function cutOff({ proxies }: Stage): Promise<void> {
  for (const proxy of proxies) proxy.refuse();
}

/** Changes a setting of a topic, the stage's if none is named. Without a value it gets its default again. */
export async function configure(
  stage: Stage,
  { setting, value, topic = stage.topic }: { setting: string; value?: string | number; topic?: string },
): Promise<void> {
  const change = value === undefined ? { remove: [setting] } : { set: { [setting]: String(value) } };
  await alterConfig(stage.bootstrap, { type: 'topics', name: topic }, change);
}

/** Resolves when more than `records` records are on disk. */
export async function spooledBeyond(stage: Stage, records: number, deadlineMs?: number): Promise<void> {
  await stage.wait('the spool is used', () => stage.gateway.stats.records.spooled > records, deadlineMs);
}

/** The gateway's share of a core while Kafka is away and devices are silent. Rejects above the limit. */
export async function quietCpu(stage: Stage): Promise<number> {
  stage.fleet.pause();
  await sleep(QUIET_BEFORE_MS);
  const share = await stage.gateway.cpuShare(QUIET_MS);
  stage.fleet.start();
  if (share >= QUIET_CPU_SHARE) throw new Error(`${percent(share)} of a core in an outage without load`);
  return share;
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** Sends SIGTERM. Resolves with the exit code, and the figures from before the signal. */
export async function stopped({ gateway }: Stage) {
  const { accepted, confirmed } = gateway.stats.records;
  const from = performance.now();
  gateway.signal('SIGTERM');
  const code = await gateway.exited();
  return { code, tookMs: performance.now() - from, accepted, confirmed };
}

/** Sends SIGTERM. Rejects if the gateway exits with another code. */
export async function terminated(stage: Stage, expected: number) {
  const { code, ...figures } = await stopped(stage);
  if (code !== expected)
    throw new Error(
      `ended with ${code} instead of ${expected} after ${figures.tookMs} ms\n${stage.gateway.logTail()}`,
    );
  return figures;
}

/** Measures the time from now until records flow, and until the spool is drained. */
export async function recovered(stage: Stage, limitMs = BROKER_BACK_MS) {
  const from = performance.now();
  await stage.flows(1);
  const tookMs = performance.now() - from;
  await stage.caughtUp();
  return { tookMs, limitMs, drainedMs: performance.now() - from };
}
