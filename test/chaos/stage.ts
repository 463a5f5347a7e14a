// Sets up the parts of a round: a cluster behind proxies, the gateway, devices under load and their ledger.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KafkaBroker } from '../../scripts/kafka/broker.ts';
import type { BrokerProxy } from '../../scripts/kafka/broker-proxy.ts';
import { createTopic, withAdmin } from '../../scripts/kafka/client.ts';
import type { KafkaCluster } from '../../scripts/kafka/cluster.ts';
import { type Env, GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';
import type { DeletedTopic } from './deleted-topic.ts';
import { Fleet } from './fleet.ts';
import { Ledger } from './ledger.ts';
import type { Random } from './random.ts';

export interface ClusterUnderTest {
  readonly kafka: KafkaCluster;
  readonly proxies: readonly BrokerProxy[];
}

export const PARTITIONS = 6;
const DEVICES = 20;
const ZIPCODES = 15;
const LEADERS_DEADLINE_MS = 30_000;
const CREATED_MS = 15_000;
const FLOW_RECORDS = 100;
/** A spool takes longer to drain than anything else that a fault waits for. */
const DRAIN_DEADLINE_MS = 60_000;

export class Stage {
  readonly kafka: KafkaCluster;
  readonly proxies: readonly BrokerProxy[];
  readonly random: Random;
  readonly topic: string;
  readonly directory: string;
  readonly gateway: GatewayProcess;
  readonly ledger: Ledger;
  readonly fleet: Fleet;
  /** Settings that a fault's prepare() adds for the gateway's start. */
  env: Env = {};
  /** Contents of deleted topics of that name, oldest first. The judge counts them. */
  readonly deleted: DeletedTopic[] = [];
  /** Topics that the gateway wrote to after the first one. */
  readonly laterTopics: string[] = [];

  private constructor(
    { kafka, proxies }: ClusterUnderTest,
    parts: { random: Random; topic: string; directory: string; gateway: GatewayProcess },
  ) {
    const { random, gateway } = parts;
    this.kafka = kafka;
    this.proxies = proxies;
    this.random = random;
    this.topic = parts.topic;
    this.directory = parts.directory;
    this.gateway = gateway;
    this.ledger = new Ledger(parts.topic);
    this.fleet = new Fleet(
      { port: gateway.port, devices: DEVICES, zipcodes: ZIPCODES },
      { ledger: this.ledger, random },
    );
  }

  /** Sets up everything, but does not start the gateway. */
  static async set(
    cluster: ClusterUnderTest,
    { topic, random, env }: { topic: string; random: Random; env: Env },
  ): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-chaos-'));
    const gateway = await GatewayProcess.reserve(directory, {
      KAFKA_BROKERS: cluster.proxies.map(({ address }) => address).join(','),
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_TOPIC_DEAD_LETTERS: `${topic}.dead`,
      KAFKA_NUM_PARTITIONS: String(PARTITIONS),
      SPOOL_DIR: join(directory, 'spool'),
      ...env,
    });
    return new Stage(cluster, { random, topic, directory, gateway });
  }

  get bootstrap(): string {
    return this.kafka.bootstrap;
  }

  get deadTopic(): string {
    return `${this.topic}.dead`;
  }

  get spoolDirectory(): string {
    return join(this.directory, 'spool');
  }

  createTopic(partitions = PARTITIONS): Promise<void> {
    return createTopic(this.bootstrap, this.topic, { partitions });
  }

  /** Creates the topic as soon as Kafka has finished deleting the former one of that name. */
  async createTopicAgain(partitions = PARTITIONS): Promise<void> {
    let [found, refusal] = [0, ''];
    const isThere = async () => {
      await this.createTopic(partitions).catch((error: Error) => {
        refusal = error.message;
      });
      // The topic exists also if only the wait for its leaders failed.
      const leaders = await this.#leaders(this.kafka.brokers).catch(() => []);
      found = leaders.length;
      return found === partitions && leaders.every((leader) => leader >= 0);
    };
    await waitFor('the topic is created again', isThere, CREATED_MS).catch((error: Error) => {
      throw new Error(`${error.message} with ${partitions} partitions; it has ${found} (${refusal})`);
    });
  }

  /** Resolves when Kafka has confirmed this many further records. */
  async flows(records = FLOW_RECORDS): Promise<void> {
    const { gateway } = this;
    const from = gateway.stats.records.confirmed;
    await this.wait('records flow', () => gateway.stats.records.confirmed >= from + records);
  }

  /** Resolves when no partition uses the disk any more and nothing old waits in memory. */
  async caughtUp(): Promise<void> {
    const isDrained = () => {
      const { records, spool, kafka } = this.gateway.stats;
      return records.spooled === 0 && spool.partitions === 0 && kafka.oldestUnconfirmedSeconds < 1;
    };
    await this.wait('the spool is drained', isDrained, DRAIN_DEADLINE_MS);
  }

  /** Pauses the devices. Resolves when every message has its answer and nothing is on its way. */
  async settled(): Promise<void> {
    const { gateway, fleet } = this;
    fleet.pause();
    await this.wait('every message has its answer', () => fleet.open === 0, DRAIN_DEADLINE_MS);
    const isEmpty = () => {
      const { spooled, inFlight, open } = gateway.stats.records;
      return spooled + inFlight + open === 0;
    };
    await this.wait('nothing is on its way', isEmpty, DRAIN_DEADLINE_MS);
  }

  /** The broker that leads the most partitions of the topic. */
  async leader(): Promise<KafkaBroker> {
    const led = await this.#leaders(this.kafka.brokers);
    const count = (id: number) => led.filter((leader) => leader === id).length;
    const [most] = [...this.kafka.brokers].sort((a, b) => count(b.id) - count(a.id));
    if (most === undefined || count(most.id) === 0) throw new Error(`no broker leads ${this.topic}`);
    return most;
  }

  /** Resolves when the other brokers name another leader than this one for each partition. */
  async leadershipMoved(from: KafkaBroker): Promise<void> {
    const others = this.kafka.brokers.filter((broker) => broker !== from);
    const isLed = (leader: number) => leader >= 0 && leader !== from.id;
    const isMoved = async () => (await this.#leaders(others).catch(() => [-1])).every(isLed);
    await waitFor('the leadership has moved', isMoved, LEADERS_DEADLINE_MS);
  }

  async #leaders(brokers: readonly KafkaBroker[]): Promise<number[]> {
    const bootstrap = brokers.map(({ address }) => address).join(',');
    const { topics } = await withAdmin(bootstrap, (admin) =>
      admin.fetchTopicMetadata({ topics: [this.topic] }),
    );
    return topics[0]?.partitions.map(({ leader }) => leader) ?? [];
  }

  /** waitFor, with the gateway's state in the error if it times out. */
  async wait(what: string, condition: () => boolean, deadlineMs = 30_000): Promise<void> {
    const { gateway } = this;
    try {
      await waitFor(what, condition, deadlineMs);
    } catch (error) {
      const figures = gateway.running ? JSON.stringify(gateway.stats, null, 1) : 'the gateway is not running';
      throw new Error(
        `${(error as Error).message}; open messages: ${this.fleet.open}\n${figures}\n${gateway.logTail()}`,
      );
    }
  }

  /** Stops the devices and the gateway. */
  async close(): Promise<void> {
    this.fleet.close();
    await this.gateway.close();
  }

  /** Removes the gateway's files. */
  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}
