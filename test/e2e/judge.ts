// Reads topics and batches with Kafka's own Java tools. Independent of the decoders of the gateway and the load tool on
// purpose: a mistake in these must not hide here.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { wantedVersion } from '../../scripts/kafka/runtime.ts';
import { type ConsoleRecord, consoleConsumer, type DumpedBatch, dumpLog, runTool } from '../support/kafka.ts';

const LOG_DIRS = 'org.apache.kafka.tools.LogDirsCommand';
const FIRST_SEGMENT = '00000000000000000000.log';
const IDLE_MS = 4_000;
const PATIENT_IDLE_MS = 20_000;

/**
 * The topic's records, and any beyond the expected number. If there are fewer it reads again with more patience: on a
 * busy machine the consumer may stall for longer than the idle time, which is not a loss.
 */
export async function readByJava(
  bootstrap: string,
  topic: string,
  expected: number,
): Promise<ConsoleRecord[]> {
  const read = (idleMs: number) => consoleConsumer(bootstrap, topic, { maxMessages: expected + 1, idleMs });
  const records = await read(IDLE_MS);
  return records.length < expected ? read(PATIENT_IDLE_MS) : records;
}

/**
 * The batches of each partition that has any, by topic and number, as DumpLogSegments reads them. Undefined, with a
 * note in the test's output, if the broker's files cannot be read from here.
 */
export async function dumpTopics(
  t: TestContext,
  bootstrap: string,
  topics: readonly string[],
): Promise<DumpedBatch[][] | undefined> {
  if (process.env.KAFKA_BROKERS) {
    t.diagnostic('not looked at with DumpLogSegments: KAFKA_BROKERS is somebody else’s Kafka');
    return undefined;
  }
  if (!wantedVersion().takesAdminRequests) {
    t.diagnostic('not looked at with DumpLogSegments: this Kafka does not tell its files');
    return undefined;
  }
  const files = await firstSegments(bootstrap, topics);
  const partitions: DumpedBatch[][] = [];
  for (const batch of await dumpLog(bootstrap, files)) {
    if (batch.baseOffset === 0) partitions.push([]);
    partitions.at(-1)?.push(batch);
  }
  return partitions;
}

async function firstSegments(bootstrap: string, topics: readonly string[]): Promise<string[]> {
  const { stdout } = await runTool(bootstrap, LOG_DIRS, [
    ...['--bootstrap-server', bootstrap, '--describe', '--topic-list', topics.join(',')],
  ]);
  const json = stdout
    .toString()
    .split('\n')
    .find((line) => line.startsWith('{'));
  const { brokers } = JSON.parse(json ?? '{}') as {
    brokers: { logDirs: { logDir: string; partitions: { partition: string; size: number }[] }[] }[];
  };
  const place = (name: string): number => {
    const dash = name.lastIndexOf('-');
    return topics.indexOf(name.slice(0, dash)) * 100_000 + Number(name.slice(dash + 1));
  };
  return (brokers[0]?.logDirs ?? [])
    .flatMap(({ logDir, partitions }) =>
      partitions
        .filter(({ size }) => size > 0)
        .map(({ partition }) => ({ partition, file: `${logDir}/${partition}/${FIRST_SEGMENT}` })),
    )
    .sort((a, b) => place(a.partition) - place(b.partition))
    .map(({ file }) => file);
}

/** Checks that every batch is valid and the producer's sequence has no gap or repetition. */
export function assertSequences(batches: readonly DumpedBatch[]): void {
  let next = 0;
  for (const batch of batches) {
    assert.ok(batch.isValid, `the batch at offset ${batch.baseOffset} is not valid`);
    assert.equal(batch.magic, 2);
    assert.ok(batch.producerId >= 0, 'a batch without a producer id');
    assert.equal(batch.producerId, batches[0]?.producerId);
    assert.equal(batch.baseSequence, next, `the sequence at offset ${batch.baseOffset}`);
    assert.equal(batch.lastSequence, next + batch.count - 1);
    next += batch.count;
  }
}
