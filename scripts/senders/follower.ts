// Follows a topic while a run is under way, and counts the messages of each sender in it. A message says who sent it, in which
// phase, and its number: `rsyslog#2#17`, anywhere in the value.
import type kafkajs from 'kafkajs';
import { kafkaClient } from '../kafka/client.ts';

const MESSAGE = /([\w-]+)#(\d+)#(\d+)/;

/** One sender in one phase. */
export class Arrivals {
  /** How often each number arrived. */
  readonly times = new Map<number, number>();
  /** Numbers that came after a later one of the same connection. */
  outOfOrder = 0;
  readonly #last = new Map<string, number>();

  add(number: number, key: string): void {
    const last = this.#last.get(key) ?? -1;
    if (number < last) this.outOfOrder++;
    this.#last.set(key, Math.max(last, number));
    this.times.set(number, (this.times.get(number) ?? 0) + 1);
  }

  get twice(): number {
    return [...this.times.values()].filter((times) => times > 1).length;
  }
}

export class TopicFollower {
  /** All records so far. */
  records = 0;
  readonly #arrivals = new Map<string, Arrivals>();
  readonly #seen = new Set<string>();
  readonly #consumer: kafkajs.Consumer;

  private constructor(consumer: kafkajs.Consumer) {
    this.#consumer = consumer;
  }

  /** Resolves when it reads. The topic has to exist, and kafkajs has to know its compression. */
  static async start(bootstrap: string, topic: string): Promise<TopicFollower> {
    const consumer = kafkaClient(bootstrap, 30).consumer({
      groupId: `follow-${topic}`,
      maxWaitTimeInMs: 100,
    });
    const follower = new TopicFollower(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        // After a rebalance it may read from the beginning again.
        const place = `${partition}/${message.offset}`;
        if (follower.#seen.has(place)) return;
        follower.#seen.add(place);
        follower.#add(message.key?.toString() ?? '', message.value?.toString() ?? '');
      },
    });
    return follower;
  }

  of(sender: string, phase: number): Arrivals {
    const name = `${sender}#${phase}`;
    const arrivals = this.#arrivals.get(name) ?? new Arrivals();
    this.#arrivals.set(name, arrivals);
    return arrivals;
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect();
  }

  #add(key: string, value: string): void {
    this.records++;
    const [, sender = '', phase = '', number = ''] = MESSAGE.exec(value) ?? [];
    if (sender !== '') this.of(sender, Number(phase)).add(Number(number), key);
  }
}
