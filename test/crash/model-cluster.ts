// A cluster in memory that takes the place of the gateway's client: a model broker for each topic, which keeps its records
// and producers, so that a gateway that starts again can get a copy of it.

import type { ProducerIdentity } from '../../src/kafka/batches/record-batch.ts';
import {
  ClusterError,
  type KafkaClient,
  type TopicMetadata,
  type TopicToCreate,
} from '../../src/kafka/client/kafka-client.ts';
import type { ProduceAnswer, ProduceRequest } from '../../src/kafka/wire/produce-request.ts';
import {
  type Fate,
  ModelBroker,
  type ModelRecord,
  type ModelRequest,
} from '../kafka/delivery/model-broker.ts';

const UNKNOWN_TOPIC = 3;
/** Gap between a cluster's producer ids and its copy's, so that the copy assigns none that the cluster assigns later. */
const IDS_BETWEEN = 1000n;
/** There is only one broker, so its answer is soon believed. */
const ANSWER = { clusterId: 'model', from: 1, brokers: [1] };

export class ModelCluster {
  readonly topics = new Map<string, { readonly broker: ModelBroker; partitions: number }>();
  isReachable = true;
  fate: (topic: string, request: ModelRequest) => Fate | Promise<Fate> = () => ({ kind: 'taken' });
  /** The error code of a record, 0 if the cluster takes it. */
  check: (topic: string, record: ModelRecord) => number = () => 0;
  /** Called after a broker has taken records. */
  onTaken: () => void = () => undefined;
  #nextId = 1n;

  /** Creates a topic, or creates it again. Records that arrived before are remembered. */
  create(topic: string, partitions: number): void {
    const broker = new ModelBroker();
    broker.arrived.push(...this.arrivedIn(topic));
    this.topics.set(topic, { broker, partitions });
    this.#wire(topic, broker);
  }

  /** The topic gets more partitions. */
  grow(topic: string, partitions: number): void {
    const found = this.topics.get(topic);
    if (found !== undefined) found.partitions = partitions;
  }

  /** The cluster for a gateway that starts again: the same records and producers, without faults. */
  copy(): ModelCluster {
    const copy = new ModelCluster();
    copy.#nextId = this.#nextId + IDS_BETWEEN;
    copy.check = this.check;
    for (const [topic, { broker, partitions }] of this.topics) {
      const twin = broker.copy();
      copy.topics.set(topic, { broker: twin, partitions });
      copy.#wire(topic, twin);
    }
    return copy;
  }

  /** The records of a topic in the order of their arrival. */
  arrivedIn(topic: string): readonly ModelRecord[] {
    return this.topics.get(topic)?.broker.arrived ?? [];
  }

  /** This cluster in the type that the gateway expects. */
  asKafkaClient(): KafkaClient {
    const model = this;
    const cluster = {
      get connected() {
        return model.isReachable;
      },
      throttledMs: 0,
      throttled: false,
      topicMetadata: (topic: string) => this.#metadata(topic),
      createTopic: async ({ topic, partitions }: TopicToCreate) => {
        this.#answer();
        if (!this.topics.has(topic)) this.create(topic, partitions);
        return null;
      },
      topicLimits: async () => undefined,
      initProducerId: async (): Promise<ProducerIdentity> => {
        this.#answer();
        return { producerId: this.#nextId++, producerEpoch: 0 };
      },
      produce: (nodeId: number, request: ProduceRequest) => this.#produce(nodeId, request),
      connectTo: async () => this.#answer(),
      written: async () => undefined,
      close: () => undefined,
    };
    return cluster as unknown as KafkaClient;
  }

  async #metadata(topic: string): Promise<TopicMetadata> {
    this.#answer();
    const found = this.topics.get(topic);
    if (found === undefined) return { ...ANSWER, errorCode: UNKNOWN_TOPIC, leaders: [] };
    return { ...ANSWER, errorCode: 0, leaders: new Array<number>(found.partitions).fill(1) };
  }

  async #produce(nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined> {
    const found = this.topics.get(request.topic);
    if (found === undefined) throw new Error(`topic ${request.topic} is not there`);
    const before = found.broker.arrived.length;
    const isThere = ({ partition }: { partition: number }) => partition < found.partitions;
    const gone = request.batches.filter((batch) => !isThere(batch));
    try {
      const batches = request.batches.filter(isThere);
      const answer = await found.broker.produce(nodeId, { ...request, batches });
      const refused = gone.map(({ partition }) => ({ partition, errorCode: UNKNOWN_TOPIC, baseOffset: 0n }));
      return answer && { ...answer, partitions: [...answer.partitions, ...refused] };
    } finally {
      if (found.broker.arrived.length > before) this.onTaken();
    }
  }

  #wire(topic: string, broker: ModelBroker): void {
    broker.fate = (request) =>
      this.isReachable ? this.fate(topic, request) : { kind: 'lost', code: 'TIMEOUT' };
    broker.check = (record) => this.check(topic, record);
  }

  #answer(): void {
    if (!this.isReachable) throw new ClusterError('UNREACHABLE', 'no broker of the model answers');
  }
}
