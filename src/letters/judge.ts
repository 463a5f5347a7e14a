// Decides about letters. It asks Kafka once about each topic that letters are for.
import type { Codec } from '../kafka/batches/compression.ts';
import { ClusterError, type KafkaClient } from '../kafka/client/kafka-client.ts';
import { kafkaError } from '../kafka/wire/errors.ts';
import type { Letter } from './letter.ts';
import { isForTopic, type TargetTopic, type Verdict, type VerdictOptions, verdictOn } from './verdict.ts';

export interface JudgeOptions {
  /** Undefined if no Kafka is set: then topics count as ready, without limits. */
  readonly client: KafkaClient | undefined;
  readonly codec: Codec;
  readonly withCopies: boolean;
  readonly isSent: (letter: Letter) => boolean;
  readonly decoder?: VerdictOptions['decoder'];
  readonly headersOf?: VerdictOptions['headersOf'];
}

/** Whoever may write letters could make us ask for any number of topics. */
const MAX_TOPICS = 100;
const ANY: TargetTopic = { state: 'ready', maxMessageBytes: undefined };

export class Judge {
  readonly #options: JudgeOptions;
  readonly #topics = new Map<string, Promise<TargetTopic>>();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** Rejects with ClusterError if no broker answers. */
  async verdictOn(letter: Letter): Promise<Verdict> {
    if (this.#options.isSent(letter)) return { kind: 'keep', why: 'sent_before' };
    if (!isForTopic(letter)) return { kind: 'keep', why: 'not_ours' };
    return verdictOn(letter, await this.#topic(letter.topic), this.#options);
  }

  #topic(name: string): Promise<TargetTopic> {
    const { client } = this.#options;
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    if (client === undefined) return Promise.resolve(ANY);
    if (this.#topics.size >= MAX_TOPICS) return Promise.resolve({ state: 'missing' });
    const asked = askFor(client, name);
    this.#topics.set(name, asked);
    return asked;
  }
}

async function askFor(client: KafkaClient, topic: string): Promise<TargetTopic> {
  const { errorCode } = await client.topicMetadata(topic);
  const { name, outcome } = kafkaError(errorCode);
  if (name === 'UNKNOWN_TOPIC_OR_PARTITION') return { state: 'missing' };
  if (outcome === 'topic') return { state: 'denied' };
  if (errorCode !== 0) throw new ClusterError('UNREACHABLE', `topic ${topic}: ${name}`);
  const limits = await client.topicLimits(topic);
  return { state: 'ready', maxMessageBytes: limits?.maxMessageBytes };
}
