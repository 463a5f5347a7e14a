// Reads the topic back, in a process of its own, and takes the time from when a line was due on its socket to
// when a consumer has it. Notices what comes twice.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { serveCalls } from '../../load/processes/child.ts';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { FIRST_SEQ } from '../devices/lines.ts';
import { type LatencySummary, latencySummary } from '../statistics.ts';

export interface ConsumerCalls {
  start(options: { readonly bootstrap: string; readonly topic: string }): Promise<void>;
  /** Waits for all messages below `first + count` and tells of those from `first`. */
  collect(options: { readonly first: number; readonly count: number }): Promise<LatencySummary>;
}

/** The end of a stamped line's record; to parse all of it would take a core's time from those that are measured. */
const STAMP = /"n":(\d+),"sent_ms":([\d.]+)}}$/;
const STAMP_BYTES = 64;

const STALL_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
/** How long the broker may hold a fetch that finds nothing; it answers at once when something comes. */
const MAX_WAIT_MS = 100;

const latenciesMs: number[] = [];
let seen = 0;
let problem: Error | undefined;

serveCalls<ConsumerCalls>({
  async start({ bootstrap, topic }) {
    registerCodecs();
    const options = { groupId: topic, minBytes: 1, maxWaitTimeInMs: MAX_WAIT_MS };
    const consumer = kafkaClient(bootstrap, 5).consumer(options);
    consumer.on('consumer.crash', ({ payload }) => {
      // A coordinator that is still loading is met with another try.
      if (!payload.restart) problem = payload.error;
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const nowMs = performance.timeOrigin + performance.now();
        for (const { value } of batch.messages) see(value, nowMs);
      },
    });
  },

  async collect({ first, count }) {
    const wanted = first + count;
    let before = seen;
    let progressMs = performance.now();
    while (seen < wanted && problem === undefined) {
      await sleep(POLL_MS);
      if (seen > before) progressMs = performance.now();
      before = seen;
      if (performance.now() - progressMs > STALL_TIMEOUT_MS)
        throw new Error(`the consumer got ${seen} of ${wanted} messages`);
    }
    if (problem !== undefined) throw problem;
    return latencySummary(latenciesMs.slice(first, wanted));
  },
});

function see(value: Buffer | null, nowMs: number): void {
  const stamp = STAMP.exec(value?.toString('latin1', value.length - STAMP_BYTES) ?? '');
  if (stamp === null) {
    problem = new Error(`the consumer got a record without a stamp: ${value}`);
    return;
  }
  const n = Number(stamp[1]) - FIRST_SEQ;
  if (latenciesMs[n] !== undefined) {
    problem = new Error(`the consumer got message ${n} twice`);
    return;
  }
  latenciesMs[n] = nowMs - Number(stamp[2]);
  seen++;
}

/** kafkajs itself knows gzip only. */
function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const require = createRequire(import.meta.url);
  CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    decompress: async (bytes: Buffer) => require('lz4-napi').decompressFrameSync(bytes),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    decompress: async (bytes: Buffer) => require('node:zlib').zstdDecompressSync(bytes),
  });
}
