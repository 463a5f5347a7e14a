// A metadata refresher on a stage: a cluster of scripted answers, and a delivery, a batcher and a log that keep their input.

import type { TestContext } from 'node:test';
import type { ProducerIdentity } from '../../../src/kafka/batches/record-batch.ts';
import type {
  MetadataQuestion,
  TopicCreation,
  TopicLimits,
  TopicMetadata,
  TopicToCreate,
} from '../../../src/kafka/client/kafka-client.ts';
import {
  MetadataRefresher,
  type MetadataRefresherOptions,
  type RefresherTiming,
} from '../../../src/kafka/topics/metadata-refresher.ts';
import type { MetadataSource } from '../../../src/kafka/topics/metadata-source.ts';
import { recordedLog } from '../../support/log.ts';
import { waitFor } from '../../support/wait.ts';

export const TOPIC = 'readings';

/** An answer; the source adds the broker that gave it and the brokers of the cluster. */
export type Answer = Omit<TopicMetadata, 'from' | 'brokers'>;

export const GONE: Answer = { errorCode: 3, leaders: [], clusterId: 'cluster-a' };

/** A cluster of one broker, unless a test sets more. */
export class FakeSource implements MetadataSource {
  /** The answer for each topic. A function gets the id of the broker that answers. */
  readonly topics = new Map<string, Answer | ((from: number | undefined) => Answer)>();
  readonly asked: string[] = [];
  /** The broker that answered, for each entry of `asked`. */
  readonly answeredBy: (number | undefined)[] = [];
  /** The brokers that each answer names. */
  brokers: readonly number[] = [1];
  /** The brokers that answer, in the order of asking; undefined = a broker with an unknown id. */
  answering: readonly (number | undefined)[] = [1];
  /** The latest answer was doubted. */
  wasDoubted = false;
  readonly created: TopicToCreate[] = [];
  readonly connectedTo: number[] = [];
  /** Calls of topicLimits. */
  limitReads = 0;
  limits: TopicLimits | undefined;
  clusterId: string | undefined = 'cluster-a';
  /** What connecting does, by node id. All others connect at once. */
  readonly unreachable = new Map<number, () => Promise<void>>();
  /** The answer to a creation. Without this function the topic exists afterwards. */
  onCreate: ((topic: TopicToCreate) => string | null | Promise<string | null>) | undefined;
  /** False if another process creates the topics first. */
  isNew = true;
  ids = 0;

  /** @param leaders of TOPIC, which is missing without them */
  constructor(leaders?: readonly number[]) {
    if (leaders !== undefined) this.has(TOPIC, leaders);
  }

  has(topic: string, leaders: readonly number[]): void {
    this.topics.set(topic, () => ({ errorCode: 0, leaders, clusterId: this.clusterId }));
  }

  async topicMetadata(topic: string, { askLast, isDoubted }: MetadataQuestion = {}): Promise<TopicMetadata> {
    this.asked.push(topic);
    const isLast = (id: number | undefined) => id !== undefined && askLast?.has(id);
    const from = this.answering.find((id) => !isLast(id)) ?? this.answering[0];
    this.answeredBy.push(from);
    const scripted = this.topics.get(topic) ?? { ...GONE, clusterId: this.clusterId };
    const said = typeof scripted === 'function' ? scripted(from) : scripted;
    const answer = { ...said, from, brokers: this.brokers };
    this.wasDoubted = isDoubted?.(answer) ?? false;
    return answer;
  }

  async createTopic(topic: TopicToCreate): Promise<TopicCreation> {
    this.created.push(topic);
    const { isNew } = this;
    if (this.onCreate !== undefined) return { refusal: await this.onCreate(topic), isNew };
    this.has(topic.topic, new Array<number>(topic.partitions).fill(1));
    return { refusal: null, isNew };
  }

  async topicLimits(): Promise<TopicLimits | undefined> {
    this.limitReads++;
    return this.limits;
  }

  async initProducerId(): Promise<ProducerIdentity> {
    return { producerId: BigInt(++this.ids), producerEpoch: 0 };
  }

  async connectTo(nodeId: number): Promise<void> {
    await this.unreachable.get(nodeId)?.();
    this.connectedTo.push(nodeId);
  }
}

/** A call of setLeaders. */
interface Handed {
  readonly leaders: readonly number[];
  readonly producerId: bigint | undefined;
  readonly clusterId: string | undefined;
}

export type Stage = ReturnType<typeof stage<FakeSource>>;

const QUICK: RefresherTiming = {
  retry: { firstMs: 1, maxMs: 5 },
  refreshEveryMs: 60_000,
  limits: { everyMs: 3_600_000, notWithinMs: 0 },
  goneAfter: { times: 3, forMs: 0 },
  fewerAfter: { times: 3, forMs: 0 },
  fromOneForMs: 60_000,
};

type StageOptions = Partial<MetadataRefresherOptions> & { readonly oldestSpooledMs?: number };

export function stage<S extends MetadataSource>(
  source: S,
  { oldestSpooledMs, ...options }: StageOptions = {},
) {
  const handed: Handed[] = [];
  /** Numbers of partitions that delivery has adopted. */
  const adopted: number[] = [];
  /** Numbers of partitions that delivery cannot adopt yet. */
  const refused = new Set<number>();
  const { log, lines } = recordedLog();
  let unreachableCalls = 0;
  const batcher = {
    partitions: 2 as number | undefined,
    maxMessageBytes: 0,
    mergeLimits: { bytes: 1000, records: 10 },
    setPartitions(partitions: number) {
      batcher.partitions = partitions;
    },
  };
  const refresher = new MetadataRefresher(
    {
      brokers: ['a:1'],
      topic: { topic: TOPIC, partitions: 2, replicationFactor: -1 },
      others: [],
      idempotent: true,
      timestamp: 'received',
      quiet: false,
      ...options,
      timing: { ...QUICK, ...options.timing },
    },
    {
      source,
      batcher,
      log,
      delivery: {
        oldestSpooledMs,
        adoptPartitions(partitions) {
          if (refused.has(partitions)) return undefined;
          adopted.push(partitions);
          return partitions;
        },
        setLeaders: (leaders, identity, clusterId) =>
          handed.push({ leaders, producerId: identity?.producerId, clusterId }),
        unreachable: () => {
          unreachableCalls++;
        },
      },
    },
  );
  return {
    source,
    refresher,
    handed,
    adopted,
    refused,
    batcher,
    log: lines,
    unreachableCalls: () => unreachableCalls,
    troubles: () => lines.filter(({ event }) => event === 'topic_trouble_began').map(({ msg }) => msg),
    messages: (minLevel = 0) => lines.filter(({ level }) => level >= minLevel).map(({ msg }) => msg),
  };
}

/** A refresher that has been started, and is closed after the test. */
export function startStage(t: TestContext, source: FakeSource, options?: StageOptions): Stage {
  const made = stage(source, options);
  t.after(() => made.refresher.close());
  made.refresher.start();
  return made;
}

/** A refresher that has taken the leaders and connected to them. */
export async function resolved(t: TestContext, source: FakeSource, options?: StageOptions): Promise<Stage> {
  const made = startStage(t, source, options);
  await isResolved(made);
  return made;
}

export const isResolved = ({ refresher }: Stage) =>
  waitFor('the refresher has no problem', () => refresher.problem === null);
