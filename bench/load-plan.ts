// Makes the plan of a load with the defaults of `sluice load`, for the commands of the bench that run one.
import type { LoadPlan } from '../load/plan.ts';

const MAX_DEFAULT_ZIPCODES = 1000;

export type PlanOptions = Pick<LoadPlan, 'target' | 'connections' | 'rate' | 'durationMs'> &
  Partial<LoadPlan>;

/** The devices ask for confirmations. The topic is read only if `readBack` is given. */
export function ordinaryPlan(options: PlanOptions): LoadPlan {
  return {
    processes: 1,
    step: undefined,
    rampMs: 0,
    warmUpMs: 0,
    thinkMs: undefined,
    sizeBytes: 170,
    shape: { kind: 'flat' },
    linesPerWrite: 1,
    seq: true,
    window: 1000,
    badShare: 0,
    slowReaders: 0,
    churn: 0,
    zipcodes: Math.min(options.connections, MAX_DEFAULT_ZIPCODES),
    token: undefined,
    tags: 0,
    deviceIds: false,
    lines: undefined,
    seed: 1,
    settleMs: 10_000,
    reconnectMs: 120_000,
    maxP99Ms: Number.POSITIVE_INFINITY,
    readBack: undefined,
    ...options,
  };
}

/** Reads the topic during the load, from a Kafka without encryption or login. */
export const readLive = (bootstrap: string, topic: string): NonNullable<LoadPlan['readBack']> => ({
  brokers: bootstrap.split(','),
  topic,
  live: true,
  ssl: undefined,
  sasl: undefined,
});
