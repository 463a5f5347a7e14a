// The cluster of a history: its brokers on machines of the network, the faults of its topic, and what the judge reads of it.
import { Brokers } from '../brokers/brokers.ts';
import type { StoredRecord } from '../brokers/stored-batch.ts';
import type { LogRecord, TopicLog } from '../judge/facts.ts';
import { createServer } from '../shims/net.ts';
import type { World } from '../world/world.ts';
import { BROKER_PORT, brokerHost } from './addresses.ts';
import { LOGIN, METRICS, type Scene } from './scene.ts';

/** Kafka's code for a record that the broker does not like. */
const INVALID_RECORD = 87;
const HASH_BASE = 31;

export class Kafka {
  readonly brokers: Brokers;
  /** Every number of partitions that the readings topic had. */
  readonly partitionCounts = new Set<number>();
  readonly #world: World;
  readonly #scene: Scene;

  private constructor(world: World, scene: Scene, brokers: Brokers) {
    this.#world = world;
    this.#scene = scene;
    this.brokers = brokers;
    this.partitionCounts.add(scene.partitions);
  }

  /** Resolves when all brokers listen. */
  static async start(world: World, scene: Scene): Promise<Kafka> {
    const random = world.random('brokers');
    const brokers = await Brokers.start({
      clock: {
        nowMs: () => world.nowMs,
        wallMs: () => world.wallMs,
        after: (delayMs, work) => world.after(delayMs, work, world.outside),
        random: () => random.next(),
      },
      nodes: Array.from({ length: scene.brokers }, (_, index) => ({
        nodeId: index + 1,
        host: brokerHost(index + 1),
        port: BROKER_PORT,
      })),
      listen: ({ host, port }, serve) =>
        new Promise((resolve, reject) => {
          const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
            socket.on('error', () => undefined);
            serve(socket);
          });
          server.once('error', reject);
          server.listen(port, world.network.addressOf(host), () => resolve(server));
        }),
      note: (words) => world.note(words),
      imageMs: () => random.between(1, 60),
      replicationMs: () => random.between(1, 4),
      serviceMs: () => random.next() * 2,
      defaultPartitions: scene.partitions,
      defaultReplication: scene.brokers,
    });
    const kafka = new Kafka(world, scene, brokers);
    kafka.#setLogins(true);
    if (scene.createsTopic) kafka.createTopic(scene.partitions);
    return kafka;
  }

  createTopic(partitions: number): void {
    this.partitionCounts.add(partitions);
    this.brokers.createTopic({
      name: METRICS,
      partitions,
      settings: { 'min.insync.replicas': String(this.#scene.minInsyncReplicas) },
    });
  }

  /** Nothing happens if there is none. */
  deleteTopic(): void {
    if (this.#isThere) this.brokers.deleteTopic(METRICS);
  }

  recreateTopic(partitions: number): void {
    if (!this.#isThere) return;
    this.partitionCounts.add(partitions);
    this.brokers.recreate(METRICS, partitions);
  }

  addPartitions(more: number): void {
    const count = this.partitions;
    if (count === 0) return;
    this.partitionCounts.add(count + more);
    this.brokers.addPartitions(METRICS, count + more);
  }

  /** Those that the topic has now. */
  get partitions(): number {
    return this.brokers.image.topics.get(METRICS)?.partitions.length ?? 0;
  }

  moveLeader(partition: number, to: number): void {
    if (partition < this.partitions) this.brokers.moveLeader(METRICS, partition, to);
  }

  setting(name: string, value: string): void {
    if (this.#isThere) this.brokers.limits(METRICS, { [name]: value });
  }

  /** One record in so many, chosen by its bytes, so that a record that is sent again meets the same answer. */
  refuseRecords(oneIn: number): void {
    const salt = this.#world.seed;
    this.brokers.refuse(METRICS, ({ value }) =>
      value !== null && hashOf(value, salt) % oneIn === 0 ? INVALID_RECORD : 0,
    );
  }

  takeRecords(): void {
    this.brokers.refuse(METRICS, undefined);
  }

  denyWrite(isDenied: boolean): void {
    if (isDenied) this.brokers.deny('write', METRICS);
    else this.brokers.allow('write', METRICS);
  }

  compact(): void {
    for (let partition = 0; partition < this.partitions; partition++)
      this.brokers.compact(METRICS, partition);
  }

  /** Passwords of no user fit. */
  refuseLogins(isRefused: boolean): void {
    this.#setLogins(!isRefused);
  }

  /** Another cluster, which is empty, with the topic again if it was there at the start. */
  async wipe(): Promise<void> {
    await this.brokers.wipe();
    if (this.#scene.createsTopic) this.createTopic(this.#scene.partitions);
  }

  /** Each life of a topic, oldest first. */
  logsOf(topic: string): TopicLog[] {
    return this.brokers
      .histories()
      .filter((history) => history.topic === topic)
      .map(({ partitions }) => ({ topic, partitions: partitions().map((records) => records.map(plain)) }));
  }

  #setLogins(isRight: boolean): void {
    const { loginLastsMs } = this.#scene;
    if (loginLastsMs === undefined) return;
    const password = isRight ? LOGIN.KAFKA_SASL_PASSWORD : 'another password';
    this.brokers.logins({
      isRequired: true,
      users: new Map([[LOGIN.KAFKA_SASL_USERNAME, password]]),
      lifetimeMs: loginLastsMs,
    });
  }

  get #isThere(): boolean {
    return this.brokers.image.topics.has(METRICS);
  }
}

function plain({ offset, timestampMs, key, value, headers, batch }: StoredRecord): LogRecord {
  return {
    offset,
    timestampMs,
    batch,
    key: key === null ? null : key.toString(),
    value: value === null ? '' : value.toString(),
    headers: headers.map(([name, bytes]) => [name, bytes?.toString() ?? ''] as const),
  };
}

function hashOf(bytes: Buffer, salt: number): number {
  let hash = salt;
  // The reading: the head of a record differs each time that a device sends it again.
  const from = Math.max(0, bytes.indexOf('"data":'));
  for (let at = from; at < bytes.length; at++) hash = (Math.imul(hash, HASH_BASE) + (bytes[at] ?? 0)) | 0;
  return hash >>> 0;
}
