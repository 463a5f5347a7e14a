// The process with the bench's consumer: measures the time from a line's due time to its arrival at the consumer. A
// duplicate is an error.
import { setTimeout as sleep } from 'node:timers/promises';
import { serveCalls } from '../../load/processes/child.ts';
import { registerCodecs } from '../../load/verification/codecs.ts';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { FIRST_SEQ } from '../devices/lines.ts';
import { type Percentiles, percentilesOf } from '../statistics.ts';

export interface ConsumerCalls {
  start(options: { readonly bootstrap: string; readonly topic: string }): Promise<void>;
  /** Waits for all messages below `first + count`. Resolves with the latencies from `first` on. */
  collect(options: { readonly first: number; readonly count: number }): Promise<Percentiles>;
}

/** The end of a stamped record. Parsing whole records would take CPU from the server on the same machine. */
const STAMP = /"n":(\d+),"sent_ms":([\d.]+)}}$/;
const STAMP_BYTES = 64;

const STALL_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
/** How long the broker may hold a fetch that finds nothing. It answers at once when a record arrives. */
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
      // kafkajs tries again while the coordinator is still loading.
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
    return percentilesOf(latenciesMs.slice(first, wanted));
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
