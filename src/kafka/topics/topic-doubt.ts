// Which answers about a topic are doubted, what is enough to believe them, and what is said until then. An answer of
// another cluster is not one of them: it is not old, it is about another topic.
import type { TopicMetadata } from '../client/kafka-client.ts';
import { RepeatedAnswer, type Verdict } from './repeated-answer.ts';

export interface DoubtTiming {
  /** A topic that was there is believed to be gone after so many answers in a row, over so long a time. */
  readonly goneAfter: { readonly times: number; readonly forMs: number };
  /** The same for fewer partitions than before. */
  readonly fewerAfter: { readonly times: number; readonly forMs: number };
  /**
   * So long the answer has to come if the broker is alone, although there were others: one that has just started has
   * heard of them by then.
   */
  readonly fromOneForMs: number;
}

const MAX_NAMED = 5;

export class TopicDoubt {
  readonly #topic: string;
  readonly #timing: DoubtTiming;
  readonly #repeated: RepeatedAnswer;
  /** Brokers that the last answer named which was not doubted. */
  #brokers = 0;

  /** @param now monotonic milliseconds */
  constructor(topic: string, timing: DoubtTiming, now?: () => number) {
    this.#topic = topic;
    this.#timing = timing;
    this.#repeated = new RepeatedAnswer(now);
  }

  /** Node ids of the brokers that gave the doubted answer: they are asked last. */
  get heardFrom(): ReadonlySet<number> {
    return this.#repeated.from;
  }

  /** The topic was there, and this answer does not know it. */
  ofMissing(answer: TopicMetadata): Verdict {
    // One broker is enough in the end: whether the topic is created is decided by the controller, which knows.
    const fromOneForMs = this.#isClusterOfOne(answer) ? 0 : this.#timing.fromOneForMs;
    return this.#repeated.hear('missing', answer.from, { ...this.#timing.goneAfter, fromOneForMs });
  }

  /**
   * This answer names fewer partitions than there were. If the cluster has several brokers and only one of them
   * answers, it is not believed however often it says so. To wait loses nothing: the records of these partitions are
   * on disk, the others are delivered, and a second broker's answer ends it. To believe an old answer would move the
   * connections of these partitions and copy their records, and move them back later.
   */
  ofFewer(answer: TopicMetadata): Verdict {
    const { fewerAfter, fromOneForMs: aloneForMs } = this.#timing;
    const whenAlone = this.#isClusterOfOne(answer) ? 0 : aloneForMs;
    const fromOneForMs = answer.brokers.length > 1 ? Number.POSITIVE_INFINITY : whenAlone;
    const { length } = answer.leaders;
    return this.#repeated.hear(`${length} partitions`, answer.from, { ...fewerAfter, fromOneForMs });
  }

  /** This answer takes nothing away. */
  settle(answer: TopicMetadata): void {
    this.#brokers = answer.brokers.length;
    this.#repeated.clear();
  }

  /** An answer that says nothing about the topic's partitions came in between. */
  interrupt(): void {
    this.#repeated.clear();
  }

  missing({ from }: TopicMetadata, verdict: Verdict): string {
    const gone = `topic ${this.#topic} has vanished (UNKNOWN_TOPIC_OR_PARTITION)`;
    return verdict === 'one-broker' ? `${gone}, says ${nameOf(from)}, and no other broker answers` : gone;
  }

  fewer({ from, brokers, leaders }: TopicMetadata, before: number, verdict: Verdict): string {
    const names = `${nameOf(from)} names only ${leaders.length} of the ${before} partitions of ${this.#topic}`;
    if (verdict !== 'one-broker') return names;
    const others = brokers.filter((id) => id !== from).slice(0, MAX_NAMED);
    const list = others.length === 0 ? '' : ` (${others.join(', ')})`;
    return (
      `${names}, and no other broker${list} answers to confirm it. Until one does, the partitions from ` +
      `${leaders.length} on are kept, and what Kafka does not take for them waits: make another broker reachable from here`
    );
  }

  /** Neither this answer nor the last one before it that was not doubted names a second broker. */
  #isClusterOfOne({ brokers }: TopicMetadata): boolean {
    return brokers.length <= 1 && this.#brokers <= 1;
  }
}

const nameOf = (nodeId: number | undefined) => (nodeId === undefined ? 'a broker' : `broker ${nodeId}`);
