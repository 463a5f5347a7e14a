// Decides which metadata answers are doubted and how much evidence makes them believed, and words the messages until
// then. Answers of another cluster are never doubted: they are not old, but about another topic.
import type { TopicMetadata } from '../client/kafka-client.ts';
import { RepeatedAnswer, type Verdict } from './repeated-answer.ts';

export interface DoubtTiming {
  /** Evidence that a topic is gone: equal answers in a row, and the time from the first to the last. */
  readonly goneAfter: { readonly times: number; readonly forMs: number };
  /** Evidence that a topic has lost partitions. */
  readonly fewerAfter: { readonly times: number; readonly forMs: number };
  /**
   * How long a single broker must give the answer, milliseconds, if the cluster has or had several. A broker that has
   * just started has heard of the others by then.
   */
  readonly fromOneForMs: number;
}

const MAX_NAMED = 5;

export class TopicDoubt {
  readonly #topic: string;
  readonly #timing: DoubtTiming;
  readonly #repeated: RepeatedAnswer;
  /** Number of brokers in the last answer that was not doubted. */
  #brokers = 0;

  /** @param now monotonic milliseconds */
  constructor(topic: string, timing: DoubtTiming, now?: () => number) {
    this.#topic = topic;
    this.#timing = timing;
    this.#repeated = new RepeatedAnswer(now);
  }

  /** Node ids of the brokers that gave the doubted answer. Ask them last. */
  get heardFrom(): ReadonlySet<number> {
    return this.#repeated.from;
  }

  /** Counts an answer by which a known topic does not exist. */
  ofMissing(answer: TopicMetadata): Verdict {
    // In the end one broker is enough: the controller creates the topic, and it knows whether the topic exists.
    const fromOneForMs = this.#isClusterOfOne(answer) ? 0 : this.#timing.fromOneForMs;
    return this.#repeated.hear('missing', answer.from, { ...this.#timing.goneAfter, fromOneForMs });
  }

  /**
   * Counts an answer with fewer partitions than before. If the cluster has several brokers, a single one is never
   * believed. Waiting loses nothing: the records of the missing partitions are on disk, the others are delivered, and a
   * second broker's answer ends the wait. Believing an old answer would move connections and copy records, and later
   * move them back.
   */
  ofFewer(answer: TopicMetadata): Verdict {
    const { fewerAfter, fromOneForMs: aloneForMs } = this.#timing;
    const whenAlone = this.#isClusterOfOne(answer) ? 0 : aloneForMs;
    const fromOneForMs = answer.brokers.length > 1 ? Number.POSITIVE_INFINITY : whenAlone;
    const { length } = answer.leaders;
    return this.#repeated.hear(`${length} partitions`, answer.from, { ...fewerAfter, fromOneForMs });
  }

  /** Ends the doubt: this answer takes no partitions away. */
  settle(answer: TopicMetadata): void {
    this.#brokers = answer.brokers.length;
    this.#repeated.clear();
  }

  /** An answer without the topic's partitions came in between. */
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

  /** Neither this answer nor the last undoubted one names a second broker. */
  #isClusterOfOne({ brokers }: TopicMetadata): boolean {
    return brokers.length <= 1 && this.#brokers <= 1;
  }
}

const nameOf = (nodeId: number | undefined) => (nodeId === undefined ? 'a broker' : `broker ${nodeId}`);
