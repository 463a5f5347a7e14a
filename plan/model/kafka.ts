// The partitions of the topic and the brokers. Advice of Kafka's own documentation stands here as assumptions: it was not
// measured.
import type { Constants } from '../constants.ts';
import { ImpossiblePlanError } from './impossible.ts';
import type { PlanInput } from './input.ts';
import { batchesPerSecond, requestsPerSecond, storedBytes, trafficOf } from './traffic.ts';

/** Bytes a second that one partition takes without trouble. */
const PARTITION_BYTES_PER_SECOND = 10e6;
/** Replicas of partitions on one broker. */
const REPLICAS_PER_BROKER = 4_000;
/** A topic gets room to grow: with more partitions later, keys would move. */
const GROWTH = 2;
/** The largest value of KAFKA_NUM_PARTITIONS. */
const MAX_PARTITIONS = 10_000;
const DISK_USE = 0.8;

/** A reason, and the number that it asks for. The largest one decides. */
export interface Reason {
  readonly reason: string;
  readonly number: number;
}

export interface Partitions {
  readonly number: number;
  readonly reasons: readonly Reason[];
}

/** @throws ImpossiblePlanError if a topic cannot have as many */
export function partitionsFor({ fleet, kafka }: PlanInput): Partitions {
  const { messages } = trafficOf(fleet);
  const perSecond = messages * fleet.peak;
  const reasons = [
    {
      reason: `consumers that read ${kafka.consumerPerSecond.toLocaleString('en-US')} a second`,
      number: perSecond / kafka.consumerPerSecond,
    },
    { reason: 'bytes a partition', number: (perSecond * fleet.lineBytes) / PARTITION_BYTES_PER_SECOND },
  ].map(({ reason, number }) => ({ reason: `${reason}, twice`, number: Math.ceil(number * GROWTH) }));
  const all = [...reasons, { reason: 'a leader on each broker', number: kafka.replicas }];
  const least = Math.max(...all.map(({ number }) => number));
  // Each broker leads as many.
  const number = Math.ceil(least / kafka.replicas) * kafka.replicas;
  if (number > MAX_PARTITIONS)
    throw new ImpossiblePlanError(
      `${number.toLocaleString('en-US')} partitions would be needed, and the gateway allows ${MAX_PARTITIONS.toLocaleString('en-US')} (KAFKA_NUM_PARTITIONS); raise --consumer or --interval, or divide the fleet`,
    );
  return { number, reasons: all };
}

export interface Brokers {
  readonly number: number;
  readonly reasons: readonly Reason[];
  /** All together, with all replicas, when the retention is reached. */
  readonly diskBytes: number;
  /** Batches a second that gateways send, all together. */
  readonly batchesPerSecond: number;
}

/** @param processes server processes of all gateways */
export function brokersFor(
  constants: Constants,
  { fleet, broker, kafka, goals, settings }: PlanInput,
  { partitions, processes }: { readonly partitions: number; readonly processes: number },
): Brokers {
  const { messages } = trafficOf(fleet);
  const { lingerSeconds } = settings;
  const batching = { processes, partitions, lingerSeconds };
  const average = batchesPerSecond({ ...batching, messagesPerSecond: messages });
  const peak = batchesPerSecond({ ...batching, messagesPerSecond: messages * fleet.peak });
  const bytesPerRecord = storedBytes(constants, {
    lineBytes: fleet.lineBytes,
    recordsPerBatch: messages / average,
  });
  const peakBytes = messages * fleet.peak * bytesPerRecord;
  const diskBytes = messages * bytesPerRecord * kafka.retentionSeconds * kafka.replicas;
  const requests = requestsPerSecond({ ...batching, messagesPerSecond: messages * fleet.peak });
  const coresEach = broker.cores * goals.use - constants.brokerIdleCores;
  if (coresEach <= 0)
    throw new ImpossiblePlanError(
      `--use ${goals.use} is too low: an idle broker uses more of ${broker.cores} cores; give a higher one`,
    );
  /** Each broker that leads partitions gets requests of its own. */
  const forCpu = (leaders: number): number => {
    const us =
      Math.min(peak, requests * leaders) * constants.brokerRequestUs +
      peak * constants.brokerBatchUs +
      messages * fleet.peak * constants.brokerMessageUs;
    // A follower is taken to cost as much as its leader.
    return (kafka.replicas * us) / 1e6 / coresEach;
  };
  const sentBytes = peakBytes * (kafka.replicas - 1 + kafka.readers);
  const network = broker.networkBytesPerSecond * goals.use;
  const reasons = [
    { reason: 'replicas', number: kafka.replicas },
    { reason: 'network', number: Math.max(peakBytes * kafka.replicas, sentBytes) / network },
    { reason: 'disk', number: diskBytes / (broker.diskBytes * DISK_USE) },
    { reason: 'partitions', number: (partitions * kafka.replicas) / REPLICAS_PER_BROKER },
  ].map(({ reason, number }) => ({ reason, number: Math.max(1, Math.ceil(number)) }));
  let number = Math.max(...reasons.map((one) => one.number));
  const cpuOf = (brokersThere: number): number => Math.ceil(forCpu(Math.min(partitions, brokersThere)));
  // More brokers get more requests, but never more than there are batches, so this ends.
  while (cpuOf(number) > number) number = cpuOf(number);
  return {
    number,
    reasons: [...reasons, { reason: 'CPU', number: cpuOf(number) }],
    diskBytes,
    batchesPerSecond: average,
  };
}
