// The process with the consumer of a comparison: one for the topics of all contestants. It measures the time from a line's due
// time to its arrival, and counts missing messages and copies. Neither is an error here.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer } from 'kafkajs';
import { serveCalls } from '../../load/processes/child.ts';
import { registerCodecs } from '../../load/verification/codecs.ts';
import { kafkaClient, withAdmin } from '../../scripts/kafka/client.ts';
import { FIRST_SEQ } from '../devices/lines.ts';
import { type Percentiles, percentilesOf } from '../statistics.ts';

export interface ReaderCalls {
  /** Reads the topics from their present ends on. `first` is the number of the next message of each. */
  start(options: {
    readonly bootstrap: string;
    readonly topics: readonly { readonly topic: string; readonly first: number }[];
  }): Promise<void>;
  /** From now on only this topic is fetched, so that the others' partitions cost nothing. */
  listen(options: { readonly topic: string }): Promise<void>;
  /** Waits until as many messages as `count` have come from `first` on, or none for 20 s. */
  collect(options: {
    readonly topic: string;
    readonly first: number;
    readonly count: number;
  }): Promise<Collected>;
  /** How many messages came more than once since the start. */
  duplicates(options: { readonly topic: string }): Promise<number>;
}

export interface Collected {
  readonly latencyMs: Percentiles;
  readonly lost: number;
}

/** The end of a stamped line. Parsing whole records would take CPU from the contestants on the same machine. */
const STAMP = /"n":(\d+),"sent_ms":([\d.]+)}}$/;
const STAMP_BYTES = 64;
const STALL_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
/** How long the broker may hold a fetch that finds nothing. It answers at once when a record arrives. */
const MAX_WAIT_MS = 200;
/** By then a fetch for the topics before has ended. */
const LISTEN_MS = 300;

class Topic {
  readonly #first: number;
  readonly #latenciesMs: number[] = [];
  /** Different messages. */
  seen = 0;
  duplicates = 0;

  constructor(first: number) {
    this.#first = first;
  }

  see(n: number, latencyMs: number): void {
    const at = n - this.#first;
    if (this.#latenciesMs[at] !== undefined) this.duplicates++;
    else {
      this.#latenciesMs[at] = latencyMs;
      this.seen++;
    }
  }

  /** Of those that have come. */
  latencies(first: number, count: number): number[] {
    const from = first - this.#first;
    return this.#latenciesMs.slice(from, from + count).filter((latency) => latency !== undefined);
  }
}

const topics = new Map<string, Topic>();
let consumer: Consumer | undefined;
let problem: Error | undefined;

serveCalls<ReaderCalls>({
  async start({ bootstrap, topics: wanted }) {
    registerCodecs();
    const groupId = `${wanted[0]?.topic}.reader`;
    await withAdmin(bootstrap, async (admin) => {
      for (const { topic, first } of wanted) {
        topics.set(topic, new Topic(first));
        const ends = await admin.fetchTopicOffsets(topic);
        const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
        await admin.setOffsets({ groupId, topic, partitions });
      }
    });
    const reader = kafkaClient(bootstrap, 5).consumer({ groupId, minBytes: 1, maxWaitTimeInMs: MAX_WAIT_MS });
    reader.on('consumer.crash', ({ payload }) => {
      // kafkajs tries again while the coordinator is still loading.
      if (!payload.restart) problem = payload.error;
    });
    const joined = new Promise<void>((resolve) => reader.on('consumer.group_join', () => resolve()));
    await reader.connect();
    await reader.subscribe({ topics: wanted.map(({ topic }) => topic), fromBeginning: true });
    await reader.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const nowMs = performance.timeOrigin + performance.now();
        const topic = topics.get(batch.topic);
        for (const { value } of batch.messages) see(topic, value, nowMs);
      },
    });
    await joined;
    consumer = reader;
  },

  async listen({ topic: wanted }) {
    const others = [...topics.keys()].filter((topic) => topic !== wanted);
    consumer?.pause(others.map((topic) => ({ topic })));
    consumer?.resume([{ topic: wanted }]);
    await sleep(LISTEN_MS);
  },

  async collect({ topic: name, first, count }) {
    const topic = topicOf(name);
    const missing = count - topic.latencies(first, count).length;
    const wanted = topic.seen + missing;
    let before = topic.seen;
    let progressMs = performance.now();
    while (topic.seen < wanted) {
      await sleep(POLL_MS);
      if (problem !== undefined) throw problem;
      if (topic.seen > before) progressMs = performance.now();
      before = topic.seen;
      if (performance.now() - progressMs > STALL_TIMEOUT_MS) break;
    }
    const latenciesMs = topic.latencies(first, count);
    return { latencyMs: percentilesOf(latenciesMs), lost: count - latenciesMs.length };
  },

  duplicates: ({ topic }) => Promise.resolve(topicOf(topic).duplicates),
});

function topicOf(name: string): Topic {
  const topic = topics.get(name);
  if (topic === undefined) throw new Error(`the topic ${name} is not read`);
  return topic;
}

function see(topic: Topic | undefined, value: Buffer | null, nowMs: number): void {
  const stamp = STAMP.exec(value?.toString('latin1', value.length - STAMP_BYTES) ?? '');
  if (stamp === null) {
    problem = new Error(`the consumer got a record without a stamp: ${value}`);
    return;
  }
  topic?.see(Number(stamp[1]) - FIRST_SEQ, nowMs - Number(stamp[2]));
}
