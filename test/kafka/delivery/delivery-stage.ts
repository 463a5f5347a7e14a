// Sets up deliveries for tests, with a spool if they need one: deliveryStage() adds a model broker and a device that
// remembers what it was told.
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { Batch } from '../../../src/kafka/batches/batch.ts';
import { BufferBudget } from '../../../src/kafka/batches/buffer-budget.ts';
import { type Codec, createCodec } from '../../../src/kafka/batches/compression.ts';
import { Delivery, type DeliveryEvents, type DeliveryOptions } from '../../../src/kafka/delivery/delivery.ts';
import type { Producer } from '../../../src/kafka/delivery/sender.ts';
import type { Log } from '../../../src/log/log.ts';
import { Spool } from '../../../src/spool/spool.ts';
import { SpoolCap } from '../../../src/spool/spool-cap.ts';
import { temporaryDirectory } from '../../spool/support.ts';
import { type FakeSession, fakeSession, reading, silent, until } from './fakes.ts';
import type { ModelBroker } from './model-broker.ts';

/** How many random runs a model test plays. */
export const SEEDS = Number(process.env.SLUICE_MODEL_SEEDS ?? 40);
export const LIMITS = { bytes: 100_000, records: 100 };
export const IDENTITY = { producerId: 42n, producerEpoch: 3 };

export interface StageOptions extends Partial<DeliveryOptions>, TopicOptions {
  readonly broker: ModelBroker;
  /** Makes a refused record durable elsewhere. */
  readonly keepLetter?: (id: number, reason: string) => Promise<void>;
  readonly limitsStale?: () => void;
  readonly adoptable?: () => void;
}

interface DeliveryToOptions {
  readonly bufferBytes?: number;
  readonly log?: Log;
  readonly codec?: Codec;
}

/** A delivery, its budget, and a function that charges the budget for a batch and delivers it. */
export function deliveryTo(
  producer: Producer,
  options: Partial<DeliveryOptions> = {},
  {
    bufferBytes = 2 ** 24,
    log = silent,
    codec = createCodec('none'),
    ...events
  }: Partial<DeliveryEvents> & DeliveryToOptions = {},
) {
  const budget = new BufferBudget(bufferBytes, 0);
  const nothing = () => undefined;
  const defaults = { leadersStale: nothing, partitionIdle: nothing, recordRefused: () => Promise.resolve() };
  const delivery = new Delivery(
    { topic: 'readings', acks: -1, requestTimeoutMs: 1000, maxAttempts: 2, ...options },
    {
      codec,
      budget,
      producer,
      events: { ...defaults, ...events },
      log,
    },
  );
  const deliver = (batch: Batch) => {
    budget.take(batch.heldBytes);
    delivery.deliver(batch);
  };
  return { delivery, budget, deliver };
}

export interface TopicOptions {
  readonly directory?: string | undefined;
  readonly maxBytes?: number | undefined;
  readonly cap?: SpoolCap | undefined;
  readonly segmentBytes?: number;
  readonly sync?: 'os' | 'batch';
  readonly partitions?: number;
  /** The spool remembers the number of partitions, as at most starts. */
  readonly isKnown?: boolean;
}

/** Opens a topic's spool. */
export async function openTopic(t: TestContext, options: TopicOptions = {}) {
  const { directory = temporaryDirectory(t), maxBytes = 2 ** 24, cap = new SpoolCap(maxBytes) } = options;
  const { segmentBytes = 2 ** 16, sync = 'os', partitions = 3, isKnown = true } = options;
  const opened = await Spool.open({ directory, cap, segmentBytes, sync, partitions });
  const spool = await opened.spool.topic('readings');
  if (isKnown) await spool.setPartitionCount(partitions);
  return { directory, spool, report: opened.report, closeSpool: () => opened.spool.close() };
}

/** A copy of the directory as a crash would leave it. */
export function crashCopy(t: TestContext, directory: string): string {
  const copy = temporaryDirectory(t);
  for (let tries = 1; ; tries++) {
    try {
      cpSync(directory, copy, { recursive: true });
      return copy;
    } catch (error) {
      // Another thread has deleted an acknowledged segment meanwhile.
      if (tries === 5) throw error;
      rmSync(copy, { recursive: true, force: true });
    }
  }
}

export function idOf(value: string): number {
  return Number(/"id":(\d+)/.exec(value)?.[1] ?? Number.NaN);
}

export async function deliveryStage(t: TestContext, options: StageOptions) {
  const { broker, partitions = 1, keepLetter, limitsStale, adoptable, ...rest } = options;
  const letters: { id: number; reason: string }[] = [];
  const { delivery, budget, deliver } = deliveryTo(broker, rest, {
    limitsStale: () => limitsStale?.(),
    adoptable: () => adoptable?.(),
    recordRefused: async ({ value }, reason) => {
      const id = idOf(value.toString());
      await keepLetter?.(id, reason);
      letters.push({ id, reason });
    },
  });
  const { spool, directory, closeSpool } = await openTopic(t, { ...rest, partitions, segmentBytes: 2 ** 11 });
  delivery.useSpool(spool);
  const close = async () => {
    await delivery.close();
    await closeSpool();
  };
  t.after(close);
  const session = fakeSession();
  return {
    delivery,
    spool,
    budget,
    session,
    letters,
    directory,
    /** The ids of the refused records whose letters are durable. */
    letterIds: () => letters.map(({ id }) => id),
    /** Resolves when Kafka has all records, or their letters are durable. */
    settled: (deadlineMs = 20_000) =>
      until(() => delivery.inFlightRecords + spool.records === 0, 'all is settled', deadlineMs),
    /** Ends this gateway in order. */
    close,
    /** Delivers one batch with these readings. The device hears `stored` with the last id. */
    deliver(
      ids: readonly number[],
      {
        partition = 0,
        padding = '',
        device = session,
      }: { partition?: number; padding?: string; device?: FakeSession } = {},
    ): void {
      const batch = new Batch(partition, performance.now(), {
        initialBytes: 1024,
        records: ids.length,
        bytes: Infinity,
      });
      for (const id of ids) {
        const text = `{"id":${id}${padding === '' ? '' : `,"x":"${padding}"`}}`;
        batch.heldBytes += batch.writer.append(device.frame, reading(text, { receivedAtMs: Date.now() }));
      }
      batch.confirm(device, ids.at(-1) ?? 0);
      deliver(batch);
    },
    async connect(clusterId = 'cluster', count = partitions): Promise<void> {
      const identity = await broker.initProducerId();
      delivery.adoptPartitions(count, LIMITS);
      delivery.setLeaders(new Array<number>(count).fill(1), identity, clusterId);
    },
  };
}

/** A stage that has reached Kafka. */
export async function connectedStage(t: TestContext, options: StageOptions) {
  const stage = await deliveryStage(t, options);
  await stage.connect();
  return stage;
}

/** The ids in a partition, in order. */
export function idsIn(broker: ModelBroker, partition = 0): number[] {
  return (broker.topic.get(partition) ?? []).map(({ value }) => idOf(value));
}

export function assertAscending(numbers: readonly number[], message: string): void {
  const sorted = numbers.toSorted((a, b) => a - b);
  assert.deepEqual(numbers, sorted, message);
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/**
 * Plays one random run for each seed, all at the same time, and names the seeds that failed. The environment variables
 * SLUICE_MODEL_SEED (the first seed) and SLUICE_MODEL_SEEDS (how many) choose the seeds.
 */
export async function playSeeds(play: (seed: number) => Promise<void>): Promise<void> {
  const first = Number(process.env.SLUICE_MODEL_SEED ?? 1);
  const failures: string[] = [];
  await Promise.all(
    range(first, first + SEEDS - 1).map(async (seed) => {
      try {
        await play(seed);
      } catch (error) {
        failures.push(`seed ${seed}: ${(error as Error).message.slice(0, 400)}`);
      }
    }),
  );
  assert.deepEqual(failures, []);
}
