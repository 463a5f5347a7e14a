// Prints the records of a topic: all of them, the last ones, or those that come from now on (npm run kafka -- consume). It
// commits no offsets, and removes its consumer group at the end.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Admin, Consumer, KafkaMessage } from 'kafkajs';
import { registerCodecs } from '../../load/verification/codecs.ts';
import { kafkaClient } from './client.ts';
import { recordText } from './record-text.ts';

export interface PrintOptions {
  readonly bootstrap: string;
  readonly topic: string;
  /** A number: the last so many records of all partitions together. */
  readonly from: 'beginning' | 'now' | number;
  /** Goes on after the records that are there now. */
  readonly follow: boolean;
  /** Does not shorten values. */
  readonly whole: boolean;
}

interface Held {
  readonly partition: number;
  readonly message: KafkaMessage;
}

const POLL_MS = 100;
/** How long a broker may hold a fetch that finds nothing. It answers at once if a record arrives. */
const MAX_WAIT_MS = 250;
const RETRY = { retries: 10, initialRetryTime: 100, maxRetryTime: 2_000 };
/** The end of a topic with gaps, as transactions leave them, may never be seen. */
const STALL_MS = 10_000;

/** Prints until the end that the topic has now, or with `follow` until the signal. False if the end was not reached. */
export async function printTopic(options: PrintOptions, signal: AbortSignal): Promise<boolean> {
  registerCodecs();
  const kafka = kafkaClient(options.bootstrap, RETRY.retries);
  const admin = kafka.admin();
  const groupId = `sluice-consume-${process.pid}-${Date.now()}`;
  const consumer = kafka.consumer({
    groupId,
    minBytes: 1,
    maxWaitTimeInMs: MAX_WAIT_MS,
    allowAutoTopicCreation: false,
    // Notices new partitions soon.
    metadataMaxAge: 5_000,
    retry: { ...RETRY, restartOnFailure: async () => true },
  });
  try {
    await admin.connect();
    return await new TopicPrinter(options, consumer).run(admin, signal);
  } finally {
    await consumer.disconnect().catch(() => undefined);
    // The broker would keep it for a week.
    await admin.deleteGroups([groupId]).catch(() => undefined);
    await admin.disconnect().catch(() => undefined);
  }
}

class TopicPrinter {
  readonly #options: PrintOptions;
  readonly #consumer: Consumer;
  /** The next offset of each partition. */
  readonly #next = new Map<number, number>();
  /** The end of each partition at the start. */
  readonly #ends = new Map<number, number>();
  /** Records that wait until those of all partitions are there, to be sorted. */
  #held: Held[] | undefined;
  #progressMs = performance.now();

  constructor(options: PrintOptions, consumer: Consumer) {
    this.#options = options;
    this.#consumer = consumer;
    if (typeof options.from === 'number') this.#held = [];
  }

  async run(admin: Admin, signal: AbortSignal): Promise<boolean> {
    const { topic, from, follow } = this.#options;
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      const [first, end] = [Number(low), Number(high)];
      const start = { beginning: first, now: end }[String(from)] ?? Math.max(first, end - Number(from));
      this.#next.set(partition, start);
      this.#ends.set(partition, end);
    }
    if (!this.#isAtEnd || follow) await this.#consume();
    while (!this.#isAtEnd && !signal.aborted && performance.now() - this.#progressMs < STALL_MS)
      await pause(POLL_MS);
    const reachedEnd = this.#isAtEnd;
    await this.#printHeld();
    if (follow && !signal.aborted) await once(signal, 'abort');
    return reachedEnd;
  }

  get #isAtEnd(): boolean {
    return [...this.#ends].every(([partition, end]) => (this.#next.get(partition) ?? 0) >= end);
  }

  async #consume(): Promise<void> {
    const { topic } = this.#options;
    const { GROUP_JOIN, END_BATCH_PROCESS } = this.#consumer.events;
    // Nothing is committed, so every join seeks.
    this.#consumer.on(GROUP_JOIN, () => {
      for (const [partition, next] of this.#next)
        this.#consumer.seek({ topic, partition, offset: String(next) });
    });
    // A batch with control records only reaches this event, but not eachBatch.
    this.#consumer.on(END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) =>
      this.#advance(partition, Number(lastOffset) + 1),
    );
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topic, fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages } }) => {
        const next = this.#next.get(partition) ?? 0;
        for (const message of messages)
          if (Number(message.offset) >= next) await this.#take({ partition, message });
        const last = messages.at(-1);
        if (last !== undefined) this.#advance(partition, Number(last.offset) + 1);
      },
    });
  }

  #advance(partition: number, next: number): void {
    this.#progressMs = performance.now();
    this.#next.set(partition, Math.max(next, this.#next.get(partition) ?? 0));
  }

  async #take(record: Held): Promise<void> {
    const isOld = Number(record.message.offset) < (this.#ends.get(record.partition) ?? 0);
    if (this.#held !== undefined) this.#held.push(record);
    else if (isOld || this.#options.follow) await this.#print(record);
  }

  /** The last records by time, and then all that came since. */
  async #printHeld(): Promise<void> {
    const { from, follow } = this.#options;
    const held = this.#held ?? [];
    this.#held = undefined;
    const isOld = ({ partition, message }: Held) => Number(message.offset) < (this.#ends.get(partition) ?? 0);
    const old = held.filter(isOld).sort((one, other) => timeOf(one) - timeOf(other));
    const last = from === 0 ? [] : old.slice(-Number(from));
    for (const record of follow ? [...last, ...held.filter((one) => !isOld(one))] : last)
      await this.#print(record);
  }

  async #print({ message: { key, value, headers = {} } }: Held): Promise<void> {
    const { whole } = this.#options;
    // A slow reader slows the consumer down.
    if (!process.stdout.write(recordText({ key, value, headers }, { whole })))
      await once(process.stdout, 'drain');
  }
}

function timeOf({ message }: Held): number {
  return Number(message.timestamp);
}
