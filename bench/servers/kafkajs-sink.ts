// Sends records with kafkajs, as well as its interface allows: values are built without a second parse, batches have
// Sluice's size and linger, one `send()` carries all partitions, and the codec is Sluice's. As its documentation demands,
// the idempotent producer has one request in flight.
import kafkajs from 'kafkajs';
import type { Settings } from '../../src/config/settings.ts';
import { BufferBudget } from '../../src/kafka/batches/buffer-budget.ts';
import { createCodec } from '../../src/kafka/batches/compression.ts';
import { partitionOf } from '../../src/kafka/batches/partitioner.ts';
import type { IdentifiedSession, Session } from '../../src/queue/job.ts';
import type { BatchTicket, Reading, RecordSink } from '../../src/workers/record-sink.ts';

const ALL_IN_SYNC = -1;
const ROOM_FOR_A_MESSAGE = 2 ** 20;

class OpenBatch implements BatchTicket {
  readonly messages: kafkajs.Message[] = [];
  readonly openedAtMs = performance.now();
  readonly confirmations = new Map<Session, number>();
  bytes = 0;
  #settled: Promise<void> | undefined;
  #settle = (): void => {};

  settled(): Promise<void> {
    this.#settled ??= new Promise((resolve) => {
      this.#settle = resolve;
    });
    return this.#settled;
  }

  confirm(): void {
    for (const [session, seq] of this.confirmations) session.stored(seq);
    this.#settle();
  }
}

export class KafkajsSink implements RecordSink {
  readonly maxReadingBytes = ROOM_FOR_A_MESSAGE / 2;
  accepted = 0;
  confirmed = 0;
  readonly budget: BufferBudget;
  readonly #settings: Settings;
  readonly #producer: kafkajs.Producer;
  readonly #compression: kafkajs.CompressionTypes;
  /** Batches of each partition, oldest first. The last one is open. */
  readonly #batches = new Map<number, OpenBatch[]>();
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.budget = new BufferBudget(settings.KAFKA_BUFFER_BYTES, ROOM_FOR_A_MESSAGE);
    this.#compression = useCodec(settings.KAFKA_COMPRESSION);
    const { Kafka, Partitioners, logLevel } = kafkajs;
    const client = new Kafka({
      clientId: settings.KAFKA_CLIENT_ID,
      brokers: [...settings.KAFKA_BROKERS],
      logLevel: logLevel.NOTHING,
    });
    this.#producer = client.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
  }

  get unconfirmed(): number {
    return this.accepted - this.confirmed;
  }

  async connect(): Promise<void> {
    await this.#producer.connect();
  }

  /** Sends the remaining batches. */
  async close(): Promise<void> {
    this.#closing = true;
    while (this.#batches.size > 0) await (this.#sending ?? this.#send());
    clearTimeout(this.#timer);
    this.budget.close();
    await this.#producer.disconnect();
  }

  hasRoom(): boolean {
    return this.budget.hasRoom();
  }

  room(): Promise<boolean> {
    return this.budget.room();
  }

  append(session: IdentifiedSession, reading: Reading): BatchTicket {
    if (session.generation === -1) {
      session.partition = partitionOf(session.frame.key, this.#settings.KAFKA_NUM_PARTITIONS);
      session.generation = 0;
    }
    const { partition } = session;
    const { key } = session.frame;
    const value = recordValue(session, reading);
    const batch = this.#openFor(partition, value.length);
    batch.messages.push({ key, value, partition, timestamp: String(reading.receivedAtMs) });
    batch.bytes += value.length;
    if (reading.confirms && reading.seq >= 0) batch.confirmations.set(session, reading.seq);
    this.budget.take(value.length);
    this.accepted++;
    if (this.#isDue(batch)) this.#sending ??= this.#send();
    return batch;
  }

  #openFor(partition: number, valueBytes: number): OpenBatch {
    const { KAFKA_BATCH_BYTES: maxBytes, KAFKA_BATCH_SIZE: maxRecords } = this.#settings;
    const waiting = this.#batches.get(partition) ?? [];
    const last = waiting.at(-1);
    if (last && last.messages.length < maxRecords && last.bytes + valueBytes <= maxBytes) return last;
    const batch = new OpenBatch();
    waiting.push(batch);
    this.#batches.set(partition, waiting);
    this.#timer ??= setTimeout(() => this.#onLinger(), this.#settings.KAFKA_BATCH_TIMEOUT);
    return batch;
  }

  #isDue({ messages, bytes, openedAtMs }: OpenBatch): boolean {
    const { KAFKA_BATCH_BYTES, KAFKA_BATCH_SIZE, KAFKA_BATCH_TIMEOUT } = this.#settings;
    return (
      this.#closing ||
      messages.length >= KAFKA_BATCH_SIZE ||
      bytes >= KAFKA_BATCH_BYTES ||
      performance.now() - openedAtMs >= KAFKA_BATCH_TIMEOUT
    );
  }

  #onLinger(): void {
    this.#timer = undefined;
    this.#sending ??= this.#send();
  }

  /** Sends the oldest due batch of each partition, until no batch is due. */
  async #send(): Promise<void> {
    // One turn later, so that all records of the current read are appended first.
    await new Promise(setImmediate);
    for (;;) {
      const batches = this.#takeDue();
      if (batches.length === 0) break;
      await this.#producer.send({
        topic: this.#settings.KAFKA_TOPIC_METRICS,
        acks: ALL_IN_SYNC,
        compression: this.#compression,
        messages: batches.flatMap(({ messages }) => messages),
      });
      for (const batch of batches) {
        this.confirmed += batch.messages.length;
        this.budget.release(batch.bytes);
        batch.confirm();
      }
    }
    this.#sending = undefined;
    if (this.#batches.size > 0)
      this.#timer ??= setTimeout(() => this.#onLinger(), this.#settings.KAFKA_BATCH_TIMEOUT);
  }

  #takeDue(): OpenBatch[] {
    const due: OpenBatch[] = [];
    for (const [partition, waiting] of this.#batches) {
      const [first, ...rest] = waiting;
      if (first === undefined || (rest.length === 0 && !this.#isDue(first))) continue;
      due.push(first);
      if (rest.length === 0) this.#batches.delete(partition);
      else this.#batches.set(partition, rest);
    }
    return due;
  }
}

function recordValue({ frame }: IdentifiedSession, { bytes, start, end, receivedAtMs }: Reading): Buffer {
  return Buffer.concat([frame.head(receivedAtMs), bytes.subarray(start, end)]);
}

/** Registers Sluice's codec with kafkajs, which has only gzip. */
function useCodec(name: Settings['KAFKA_COMPRESSION']): kafkajs.CompressionTypes {
  const codec = createCodec(name);
  if (codec.id !== kafkajs.CompressionTypes.None)
    kafkajs.CompressionCodecs[codec.id as kafkajs.CompressionTypes.GZIP] = () => ({
      compress: async ({ buffer }: { buffer: Buffer }) => {
        const parts = await codec.compress([buffer]);
        return Buffer.concat(parts);
      },
      decompress: () => Promise.reject(new Error('nothing is read here')),
    });
  return codec.id;
}
