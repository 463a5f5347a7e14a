// The stage of a script: one broker, real or simulated, and requests to it whose answers come as plain facts. Both kinds
// of broker get the same bytes.
import { API } from '../../../simulation/brokers/apis.ts';
import { CODE } from '../../../simulation/brokers/error-codes.ts';
import { Reader, Writer } from '../../../simulation/brokers/wire.ts';
import { type BatchFields, batchBytes } from './batch-bytes.ts';
import { type Answer, RawClient } from './raw-client.ts';

/** The broker that a script runs against, and what it takes an administrator to do. */
export interface Target {
  /** Of the broker that is asked. */
  readonly port: number;
  readonly nodeId: number;
  deleteTopic(name: string): Promise<void>;
  addPartitions(name: string, count: number): Promise<void>;
}

export interface Produced {
  readonly partition: number;
  readonly code: number;
  readonly offset: number;
  /** True if the answer has the broker's time. */
  readonly hasAppendTime: boolean;
}

interface ProduceAnswer {
  readonly all: Produced[];
  readonly throttleMs: number;
}

export interface ProduceOptions {
  readonly topic?: string;
  readonly partition?: number;
  readonly acks?: number;
  readonly version?: number;
  readonly timeoutMs?: number;
}

const TOPIC_WAIT_MS = 10_000;
let topics = 0;

export class Script {
  readonly target: Target;
  readonly client: RawClient;
  topic = '';

  constructor(target: Target, client: RawClient) {
    this.target = target;
    this.client = client;
  }

  /** @returns the answer's error code, and waits until the broker leads every partition */
  async create(
    settings: Readonly<Record<string, string>> = {},
    { partitions = 1, replication = 1, name = `script-${process.pid}-${topics++}` } = {},
  ): Promise<void> {
    const code = await this.createCode(name, { partitions, replication, settings });
    if (code !== 0) throw new Error(`topic ${name} was not created: ${code}`);
    this.topic = name;
    if (replication === 1) await this.untilTopic(partitions);
  }

  async createCode(
    name: string,
    options: {
      partitions?: number;
      replication?: number;
      settings?: Readonly<Record<string, string>>;
      validateOnly?: boolean;
    } = {},
  ): Promise<number> {
    const { partitions = 1, replication = 1, settings = {}, validateOnly = false } = options;
    const body = new Writer()
      .array([name], (write) =>
        write
          .string(name)
          .int32(partitions)
          .int16(replication)
          .int32(0)
          .array(Object.entries(settings), (_, [key, value]) => write.string(key).string(value)),
      )
      .int32(10_000)
      .int8(validateOnly ? 1 : 0);
    const read = await this.#ask(API.createTopics, 3, body);
    read.int32();
    const [answer] = read.array(() => ({ name: read.string(), code: read.int16() }));
    return answer?.code ?? Number.NaN;
  }

  async untilTopic(partitions: number): Promise<void> {
    const deadline = performance.now() + TOPIC_WAIT_MS;
    for (;;) {
      const { code, leaders } = await this.metadata();
      if (code === 0 && leaders.length === partitions && leaders.every((id) => id === this.target.nodeId)) {
        const ends = await Promise.all(leaders.map((_, i) => this.offset(-1, i)));
        if (ends.every((end) => end.code === 0)) return;
      }
      if (performance.now() > deadline) throw new Error(`topic ${this.topic} is not led`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async produce(fields: BatchFields = {}, options: ProduceOptions = {}): Promise<Produced | 'closed'> {
    const [produced = 'closed' as const] = await this.produceAll([fields], options);
    return produced;
  }

  /** The code only. */
  async code(fields: BatchFields = {}, options: ProduceOptions = {}): Promise<number | 'closed'> {
    const produced = await this.produce(fields, options);
    return produced === 'closed' ? produced : produced.code;
  }

  /** A batch for each partition from `partition` on. An empty list: the connection was closed. */
  async produceAll(all: readonly BatchFields[], options: ProduceOptions = {}): Promise<Produced[]> {
    return (await this.produceAnswer(all, options))?.all ?? [];
  }

  /** Undefined: the connection was closed. */
  async produceAnswer(
    all: readonly BatchFields[],
    options: ProduceOptions = {},
  ): Promise<ProduceAnswer | undefined> {
    const { version = 7 } = options;
    const answer = await this.client.ask(API.produce, version, await this.produceBody(all, options));
    if (answer === 'closed') return undefined;
    const read = new Reader(answer);
    const produced = read.array(() => {
      read.string();
      return read.array(() => {
        const [partition, code, offset] = [read.int32(), read.int16(), read.int64()];
        const hasAppendTime = read.int64() > 0;
        if (version >= 5) read.bigint();
        return { partition, code, offset, hasAppendTime };
      });
    });
    return { all: produced.flat(), throttleMs: read.int32() };
  }

  async produceBody(all: readonly BatchFields[], options: ProduceOptions = {}): Promise<Buffer> {
    const { topic = this.topic, partition = 0, acks = -1, timeoutMs = 5000 } = options;
    const batches = await Promise.all(all.map(batchBytes));
    return new Writer()
      .string(null)
      .int16(acks)
      .int32(timeoutMs)
      .array([topic], (write) =>
        write
          .string(topic)
          .array([...batches.entries()], (_, [i, bytes]) => write.int32(partition + i).bytes(bytes)),
      ).buffer;
  }

  /** @param timeMs of the record that is looked for; -1 = the end, -2 = the beginning */
  async offset(timeMs: number, partition = 0): Promise<{ code: number; offset: number }> {
    const body = new Writer()
      .int32(-1)
      .int8(0)
      .array([this.topic], (write) =>
        write.string(this.topic).array([partition], (_, index) => write.int32(index).int64(timeMs)),
      );
    const read = await this.#ask(API.listOffsets, 3, body);
    read.int32();
    const [found] = read.array(() => {
      read.string();
      const [one] = read.array(() => {
        read.int32();
        const code = read.int16();
        read.bigint();
        return { code, offset: read.int64() };
      });
      return one;
    });
    return found ?? { code: Number.NaN, offset: Number.NaN };
  }

  async fetch(
    offset: number,
    { maxBytes = 1_000_000, waitMs = 300, partition = 0, minBytes = 1 } = {},
  ): Promise<{ code: number; highWatermark: number; batches: { base: number; epoch: number }[] }> {
    const body = new Writer()
      .int32(-1)
      .int32(waitMs)
      .int32(minBytes)
      .int32(maxBytes)
      .int8(0)
      .int32(0)
      .int32(-1)
      .array([this.topic], (write) =>
        write.string(this.topic).array([partition], (_, index) => {
          write.int32(index).int32(-1).int64(offset).int64(-1).int32(maxBytes);
        }),
      )
      .int32(0)
      .string('');
    const read = await this.#ask(API.fetch, 11, body);
    read.int32();
    read.int16();
    read.int32();
    const [found] = read
      .array(() => {
        read.string();
        return read.array(() => {
          read.int32();
          const [code, highWatermark] = [read.int16(), read.int64()];
          read.bigint();
          read.bigint();
          read.nullableArray(() => [read.bigint(), read.bigint()]);
          read.int32();
          return { code, highWatermark, batches: batchesIn(read.bytes()) };
        });
      })
      .flat();
    return found ?? { code: Number.NaN, highWatermark: -1, batches: [] };
  }

  async metadata(topic = this.topic): Promise<{ code: number; leaders: number[]; isr: number[][] }> {
    const body = new Writer().array([topic], (write) => write.string(topic)).int8(0);
    const read = await this.#ask(API.metadata, 6, body);
    read.int32();
    read.array(() => [read.int32(), read.string(), read.int32(), read.nullableString()]);
    read.nullableString();
    read.int32();
    const numbers = () => read.array(() => read.int32());
    const [found] = read.array(() => {
      const code = read.int16();
      read.string();
      read.int8();
      const partitions = read.array(() => {
        read.int16();
        const [index, leader] = [read.int32(), read.int32()];
        const [, isr] = [numbers(), numbers()];
        numbers();
        return { index, leader, isr };
      });
      partitions.sort((a, b) => a.index - b.index);
      return { code, leaders: partitions.map(({ leader }) => leader), isr: partitions.map(({ isr }) => isr) };
    });
    return found ?? { code: Number.NaN, leaders: [], isr: [] };
  }

  /** Asks until the broker has fetched ids from the controller. */
  async producerId(): Promise<{ code: number; id: bigint; epoch: number }> {
    const deadline = performance.now() + TOPIC_WAIT_MS;
    for (;;) {
      const read = await this.#ask(API.initProducerId, 1, new Writer().string(null).int32(60_000));
      read.int32();
      const answer = { code: read.int16(), id: read.bigint(), epoch: read.int16() };
      if (answer.code !== CODE.coordinatorLoading || performance.now() > deadline) return answer;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async settings(topic: string, names: readonly string[]) {
    const body = new Writer()
      .array([topic], (write) =>
        write
          .int8(2)
          .string(topic)
          .array(names, (_, name) => write.string(name)),
      )
      .int8(0);
    const read = await this.#ask(API.describeConfigs, 2, body);
    read.int32();
    const [found] = read.array(() => {
      const code = read.int16();
      read.nullableString();
      read.int8();
      read.string();
      const values = read.array(() => {
        const entry = [read.string(), read.nullableString()] as const;
        read.int8();
        read.int8();
        read.int8();
        read.array(() => [read.string(), read.nullableString(), read.int8()]);
        return entry;
      });
      return { code, values: Object.fromEntries(values.sort(([a], [b]) => (a < b ? -1 : 1))) };
    });
    return found;
  }

  /** Another connection to the broker. */
  async another(): Promise<Script> {
    const script = new Script(this.target, await RawClient.connect(this.target.port));
    script.topic = this.topic;
    return script;
  }

  async #ask(api: number, version: number, body: Writer): Promise<Reader> {
    const answer: Answer = await this.client.ask(api, version, body.buffer);
    if (answer === 'closed') throw new Error(`the broker closed the connection after request ${api}`);
    return new Reader(answer);
  }
}

function batchesIn(records: Buffer): { base: number; epoch: number }[] {
  const found: { base: number; epoch: number }[] = [];
  for (let at = 0; at + 12 <= records.length; at += 12 + records.readInt32BE(at + 8))
    found.push({ base: Number(records.readBigInt64BE(at)), epoch: records.readInt32BE(at + 12) });
  return found;
}
