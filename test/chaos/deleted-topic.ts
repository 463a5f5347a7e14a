// Reads what a topic held at the moment of its deletion. The broker renames a deleted partition's directory and keeps
// the files for another minute (file.delete.delay.ms), so Kafka's own tool can read them.
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { deleteTopic } from '../../scripts/kafka/client.ts';
import { type DumpedBatch, dumpLog } from '../../scripts/kafka/java-tools.ts';
import { waitFor } from '../support/wait.ts';
import { FaultSkipped } from './fault.ts';
import type { Stage } from './stage.ts';

export interface DeletedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly value: Buffer;
  /** Number of batches after this record's own in the partition. */
  readonly batchesBehind: number;
}

/** By partition, then offset. */
export type DeletedTopic = readonly DeletedRecord[];

/**
 * Deletes the stage's topic. The returned function reads what the topic held. Call it within a minute, also if the
 * topic exists again.
 * @param partitions number of partitions of the topic
 */
export async function deleteAndKeep(stage: Stage, partitions: number): Promise<() => Promise<DeletedTopic>> {
  const { bootstrap, kafka, topic } = stage;
  if (kafka.kind !== 'java')
    throw new FaultSkipped('the files of a broker in Docker are out of reach, and so is a deleted topic');
  const directories = () =>
    kafka.brokers.flatMap(({ dataDir }) =>
      readdirSync(dataDir)
        .filter((name) => partitionOf(name, topic) !== undefined)
        .map((name) => join(dataDir, name)),
    );
  const before = new Set(directories());
  await deleteTopic(bootstrap, topic);
  return async () => {
    const found = await waitFor('the broker lets go of the topic', () => {
      const fresh = directories().filter((directory) => !before.has(directory));
      return fresh.length === partitions * kafka.brokers.length && fresh;
    });
    const files = found.flatMap((directory) => {
      const segments = readdirSync(directory).filter((name) => name.endsWith('.log'));
      return segments.sort().map((name) => join(directory, name));
    });
    return recordsOf(await dumpLog(bootstrap, files), topic);
  };
}

/** The longest replica of each partition, because others may lag behind. */
function recordsOf(batches: readonly DumpedBatch[], topic: string): DeletedTopic {
  const replicas = new Map<string, DumpedBatch[]>();
  for (const batch of batches) {
    const directory = dirname(batch.file);
    replicas.set(directory, [...(replicas.get(directory) ?? []), batch]);
  }
  const longest = new Map<number, DumpedBatch[]>();
  for (const [directory, replica] of replicas) {
    const partition = partitionOf(basename(directory), topic) ?? -1;
    if (endOf(replica) > endOf(longest.get(partition) ?? [])) longest.set(partition, replica);
  }
  return [...longest]
    .sort(([a], [b]) => a - b)
    .flatMap(([partition, replica]) =>
      replica.flatMap(({ baseOffset, records }, index) =>
        records.map((text, at) => ({
          partition,
          offset: baseOffset + at,
          value: Buffer.from(text.slice(text.indexOf(PAYLOAD) + PAYLOAD.length)),
          batchesBehind: replica.length - 1 - index,
        })),
      ),
    );
}

const PAYLOAD = ' payload: ';

const endOf = (replica: readonly DumpedBatch[]): number => (replica.at(-1)?.lastOffset ?? -1) + 1;

/** The partition in the name `<topic>-<partition>.<unique id>-delete`. */
function partitionOf(name: string, topic: string): number | undefined {
  if (!name.startsWith(`${topic}-`)) return undefined;
  const digits = /^(\d+)\.[0-9a-f]{32}-delete$/.exec(name.slice(topic.length + 1))?.[1];
  return digits === undefined ? undefined : Number(digits);
}
