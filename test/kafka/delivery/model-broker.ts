// A broker in memory that follows Kafka's rules for idempotent producers (KIP-98): it knows the next sequence and the
// last five batches of each partition and producer. A test decides what goes wrong with each request. The same rules
// are tested with a real Kafka in test/e2e and test/chaos.

import { crc32c } from '../../../src/checksum/crc32c.ts';
import type { ProducerIdentity } from '../../../src/kafka/batches/record-batch.ts';
import type { Producer } from '../../../src/kafka/delivery/sender.ts';
import type { ProduceAnswer, ProduceRequest } from '../../../src/kafka/wire/produce-request.ts';
import { decodeBatch } from '../batches/decode-batch.ts';

export interface ModelRecord {
  readonly value: string;
  readonly timestampMs: number;
}

/** What happens to a request. */
export type Fate =
  /** The broker answers by its rules. */
  | { readonly kind: 'taken' }
  /** The broker carries it out, and the answer is lost. */
  | { readonly kind: 'answer-lost'; readonly code?: string }
  /** It never arrives. */
  | { readonly kind: 'lost'; readonly code?: string }
  /** The broker answers every partition with this code and does nothing else. */
  | { readonly kind: 'refused'; readonly errorCode: number };

export interface ModelRequest {
  readonly partitions: readonly number[];
  readonly bytes: number;
  readonly records: number;
}

const CORRUPT_MESSAGE = 2;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const OUT_OF_ORDER_SEQUENCE = 45;
const DUPLICATE_SEQUENCE = 46;
const REMEMBERED = 5;
const SEQUENCES = 2 ** 31;

interface ProducerState {
  next: number;
  readonly recent: { readonly first: number; readonly count: number }[];
}

export class ModelBroker implements Producer {
  /** Every record of each partition, in order. */
  readonly topic = new Map<number, ModelRecord[]>();
  /** Every record of all partitions and clusters, in the order of arrival. */
  readonly arrived: ModelRecord[] = [];
  readonly requests: ModelRequest[] = [];
  /** How many producer ids were given. */
  ids = 0;
  /** The error code that the broker's checks give a record; 0 if it takes the record. */
  check: (record: ModelRecord) => number = () => 0;
  fate: (request: ModelRequest) => Fate | Promise<Fate> = () => ({ kind: 'taken' });
  #nextId = 0n;
  // Rises when requests on their way are lost with the old topic or cluster.
  #generation = 0;
  #partitions = Number.POSITIVE_INFINITY;
  #producers = new Map<string, ProducerState>();

  /** Another cluster appears at the same address, without the former one's records, producers and connections. */
  replace(): void {
    this.#generation++;
    this.topic.clear();
    this.#producers.clear();
    this.#nextId = 0n;
  }

  /** Somebody deletes the topic and creates it again, without its records and producers. */
  recreateTopic(partitions: number): void {
    this.#generation++;
    this.#partitions = partitions;
    this.topic.clear();
    this.#producers.clear();
  }

  /** As Kafka does after producer.id.expiration.ms. */
  forgetProducers(): void {
    this.#producers.clear();
  }

  /** A broker with the same records and producers, and its own fate. */
  copy(): ModelBroker {
    const copy = new ModelBroker();
    for (const [partition, records] of this.topic) copy.topic.set(partition, [...records]);
    copy.arrived.push(...this.arrived);
    copy.#nextId = this.#nextId;
    for (const [key, { next, recent }] of this.#producers)
      copy.#producers.set(key, { next, recent: [...recent] });
    return copy;
  }

  initProducerId(): Promise<ProducerIdentity> {
    this.ids++;
    return Promise.resolve({ producerId: this.#nextId++, producerEpoch: 0 });
  }

  async produce(_nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined> {
    const batches = request.batches.map(({ partition, bytes }) => ({ partition, bytes: Buffer.from(bytes) }));
    const decoded = batches.map(({ partition, bytes }) => {
      const batch = decodeBatch(bytes);
      return { partition, batch, isWhole: batch.crc === crc32c(bytes.subarray(21)) };
    });
    const seen: ModelRequest = {
      partitions: batches.map(({ partition }) => partition),
      bytes: batches.reduce((sum, { bytes }) => sum + bytes.length, 0),
      records: decoded.reduce((sum, { batch }) => sum + batch.records.length, 0),
    };
    this.requests.push(seen);
    const generation = this.#generation;
    const fate = await this.fate(seen);
    if (fate.kind === 'lost' || generation !== this.#generation)
      throw Object.assign(new Error('the request was lost'), {
        code: fate.kind === 'lost' ? fate.code : 'CLOSED',
      });
    const partitions = decoded.map(({ partition, batch, isWhole }) => ({
      partition,
      errorCode:
        fate.kind === 'refused' ? fate.errorCode : isWhole ? this.#append(partition, batch) : CORRUPT_MESSAGE,
      baseOffset: 0n,
    }));
    if (fate.kind === 'answer-lost')
      throw Object.assign(new Error('the answer was lost'), { code: fate.code });
    return { throttleMs: 0, partitions };
  }

  /** A broker checks records before sequences, so a refused batch leaves the sequence unchanged. */
  #append(partition: number, batch: ReturnType<typeof decodeBatch>): number {
    if (partition >= this.#partitions) return UNKNOWN_TOPIC_OR_PARTITION;
    const records = batch.records.map(({ value, timestamp }) => ({
      value: value ?? '',
      timestampMs: Number(timestamp),
    }));
    const refusal = records.map((record) => this.check(record)).find((code) => code !== 0);
    if (refusal !== undefined) return refusal;
    if (batch.producerId >= 0n) {
      const key = `${batch.producerId}/${batch.producerEpoch}/${partition}`;
      const first = batch.baseSequence;
      const count = records.length;
      const state = this.#producers.get(key) ?? { next: first, recent: [] };
      if (state.recent.some((one) => one.first === first && one.count === count)) return DUPLICATE_SEQUENCE;
      if (first !== state.next) return OUT_OF_ORDER_SEQUENCE;
      state.next = (first + count) % SEQUENCES;
      state.recent.push({ first, count });
      if (state.recent.length > REMEMBERED) state.recent.shift();
      this.#producers.set(key, state);
    }
    this.arrived.push(...records);
    const log = this.topic.get(partition) ?? [];
    log.push(...records);
    this.topic.set(partition, log);
    return 0;
  }
}
