// A delivery with a real spool and a model broker, and a device that remembers what it was told.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Batch } from '../../../src/kafka/batches/batch.ts';
import { BufferBudget } from '../../../src/kafka/batches/buffer-budget.ts';
import { createCodec } from '../../../src/kafka/batches/compression.ts';
import { Delivery, type DeliveryOptions } from '../../../src/kafka/delivery/delivery.ts';
import { Spool } from '../../../src/spool/spool.ts';
import { SpoolCap } from '../../../src/spool/spool-cap.ts';
import { type FakeSession, fakeSession, reading, silent } from './fakes.ts';
import type { ModelBroker } from './model-broker.ts';

/** How many random runs a model test plays. */
export const SEEDS = Number(process.env.SLUICE_MODEL_SEEDS ?? 40);
export const LIMITS = { bytes: 100_000, records: 100 };

export interface StageOptions extends Partial<DeliveryOptions> {
  readonly broker: ModelBroker;
  readonly directory?: string;
  readonly partitions?: number;
  readonly maxBytes?: number;
  /** The spool remembers the number of partitions, as at most starts. */
  readonly isKnown?: boolean;
  /** Makes a refused record durable elsewhere. */
  readonly keepLetter?: (id: number, reason: string) => Promise<void>;
  readonly limitsStale?: () => void;
  readonly adoptable?: () => void;
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-delivery-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
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
  const { broker, directory = temporaryDirectory(t), partitions = 1, maxBytes = 2 ** 24 } = options;
  const { isKnown = true, ...rest } = options;
  const letters: { id: number; reason: string }[] = [];
  const budget = new BufferBudget(2 ** 22, 0);
  const delivery = new Delivery(
    { topic: 'readings', acks: -1, requestTimeoutMs: 1000, maxAttempts: 2, ...rest },
    {
      codec: createCodec('none'),
      budget,
      producer: broker,
      events: {
        leadersStale: () => {},
        partitionIdle: () => {},
        limitsStale: () => options.limitsStale?.(),
        adoptable: () => options.adoptable?.(),
        recordRefused: async ({ value }, reason) => {
          const id = idOf(value.toString());
          await options.keepLetter?.(id, reason);
          letters.push({ id, reason });
        },
      },
      log: silent,
    },
  );
  const opened = await Spool.open({
    directory,
    cap: new SpoolCap(maxBytes),
    segmentBytes: 2 ** 11,
    sync: 'os',
    partitions,
  });
  const spool = await opened.spool.topic('readings');
  if (isKnown) await spool.setPartitionCount(partitions);
  delivery.useSpool(spool);
  const close = async () => {
    await delivery.close();
    await opened.spool.close();
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
    ): Batch {
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
      budget.take(batch.heldBytes);
      delivery.deliver(batch);
      return batch;
    },
    async connect(clusterId = 'cluster', count = partitions): Promise<void> {
      const identity = await broker.initProducerId();
      delivery.adoptPartitions(count, LIMITS);
      delivery.setLeaders(new Array<number>(count).fill(1), identity, clusterId);
    },
  };
}

/** The ids in a partition, in order. */
export function idsIn(broker: ModelBroker, partition = 0): number[] {
  return (broker.topic.get(partition) ?? []).map(({ value }) => idOf(value));
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
