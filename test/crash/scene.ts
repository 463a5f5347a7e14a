// The stage of a crash scenario: a gateway without its sockets, on a directory whose changes are recorded, with a model
// cluster in memory.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DiskModel } from '../../simulation/disk/disk-model.ts';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/settings.ts';
import { Kafka } from '../../src/kafka/kafka.ts';
import { letterOf } from '../../src/kafka/pipelines/dead-letters.ts';
import { orphanedPartsFor } from '../../src/spool/parts.ts';
import { type FakeSession, fakeSession, reading, silent } from '../kafka/delivery/fakes.ts';
import { FsJournal } from './fs-journal.ts';
import { ModelCluster } from './model-cluster.ts';
import { readTree, treeKey } from './trees.ts';

export const READINGS = 'readings';
export const LETTERS = 'refused';
/** Fates of a request (model-broker.ts): it never arrives, it arrives and its answer is lost, it is taken. */
export const LOST = { kind: 'lost', code: 'TIMEOUT' } as const;
export const ANSWER_LOST = { kind: 'answer-lost', code: 'TIMEOUT' } as const;
export const TAKEN = { kind: 'taken' } as const;
const DEADLINE_MS = 30_000;
const MAX_POLL_MS = 20;

/** An event between two changes of the disk. */
export type Happening =
  /** The device was told that its records up to this id are stored. */
  | { readonly kind: 'stored'; readonly device: string; readonly id: number }
  /** The state of the cluster from now on. */
  | { readonly kind: 'cluster'; readonly cluster: ModelCluster };

export interface Device {
  readonly name: string;
  readonly session: FakeSession;
  /** The ids of its records, in order. */
  readonly sent: number[];
}

const BASE = baseSettings();

/** The settings of a gateway on this directory, with small segments. */
export function settingsFor(directory: string, changes: Partial<Settings> = {}): Settings {
  return { ...BASE, SPOOL_DIR: directory, ...changes };
}

function baseSettings(): Settings {
  const loaded = loadSettings({
    env: {
      KAFKA_BROKERS: '127.0.0.1:1',
      KAFKA_COMPRESSION: 'none',
      KAFKA_TOPIC_METRICS: READINGS,
      KAFKA_TOPIC_DEAD_LETTERS: LETTERS,
      KAFKA_NUM_PARTITIONS: '2',
      KAFKA_MAX_ATTEMPTS: '1',
    },
  });
  if (!loaded.ok) throw new Error(loaded.problems.join('; '));
  return { ...loaded.settings, SPOOL_SEGMENT_BYTES: 700 };
}

/** The Kafka side of a gateway, wired as the gateway wires it. */
export function kafkaOn(settings: Settings, cluster: ModelCluster): Kafka {
  const kafka: Kafka = new Kafka(settings, {
    recordRefused: (record, why) =>
      kafka.deadLetters.record({ ...letterOf(record, why).letter, remoteAddress: '' }),
    log: silent,
    cluster: cluster.asKafkaClient(),
  });
  return kafka;
}

/** Starts it with the orphaned parts of former processes. */
export function startKafka(kafka: Kafka, directory: string): Promise<void> {
  return kafka.start({ orphanedParts: orphanedPartsFor(0, { root: directory, processes: 1 }) });
}

/** The records that wait, in memory and on disk. */
function waitingIn({ delivery, orphans, deadLetters, batcher }: Kafka) {
  return {
    open: batcher.openRecords,
    inFlight: delivery.inFlightRecords,
    spooled: delivery.spooledRecords,
    spooling: delivery.spoolingPartitions,
    orphans: orphans.records.spooled,
    letters: deadLetters.waiting,
    orphanedLetters: orphans.letters.waiting,
  };
}

export async function untilDelivered(kafka: Kafka, deadlineMs = DEADLINE_MS): Promise<void> {
  const isDelivered = () => Object.values(waitingIn(kafka)).every((count) => count === 0);
  try {
    await until(isDelivered, 'everything is delivered', deadlineMs);
  } catch (error) {
    const { delivery, deadLetters, link } = kafka;
    const { problems, spoolTrouble, counters } = delivery;
    const all = [...problems, spoolTrouble, deadLetters.problem, link?.problem, counters.lastError];
    const reasons = all.filter(Boolean).join('; ');
    throw new Error(`${(error as Error).message}: ${JSON.stringify(waitingIn(kafka))}, ${reasons}`);
  }
}

export async function until(condition: () => boolean, what: string, deadlineMs = DEADLINE_MS): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (let waitMs = 1; !condition(); waitMs = Math.min(MAX_POLL_MS, 1.5 * waitMs)) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after ${deadlineMs} ms`);
    await pause(waitMs);
  }
}

export interface SceneOptions {
  /** Partitions of the readings topic and in the settings. */
  readonly partitions?: number;
  /**
   * The directory before the recording: empty; an empty spool of a gateway that never reached Kafka; or an empty spool
   * with the number of partitions.
   */
  readonly before?: 'nothing' | 'spool' | 'partitions';
  /** Writes another content into the directory instead. */
  readonly layOut?: (directory: string) => void;
}

export class Scene {
  readonly directory: string;
  readonly journal: FsJournal<Happening>;
  readonly cluster = new ModelCluster();
  /** Records that the cluster always refuses. */
  readonly atFault = new Set<number>();
  readonly devices: Device[] = [];
  #kafka: Kafka | undefined;
  #changes: Partial<Settings> = {};
  #isDead = false;
  #nextId = 1;

  private constructor(directory: string, journal: FsJournal<Happening>) {
    this.directory = directory;
    this.journal = journal;
    this.cluster.onTaken = () => this.#markCluster();
  }

  /** Begins the recording. The cluster has the topics. */
  static async begin({ partitions = 2, before = 'spool', layOut }: SceneOptions = {}): Promise<Scene> {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-crash-'));
    if (layOut !== undefined) layOut(directory);
    else if (before !== 'nothing') await useOnce(directory, partitions, before === 'partitions');
    const disk = DiskModel.holding(readTree(directory));
    const scene = new Scene(directory, FsJournal.record<Happening>(directory, { disk, unread: isLock }));
    scene.#changes = { KAFKA_NUM_PARTITIONS: partitions };
    scene.cluster.create(READINGS, partitions);
    scene.cluster.create(LETTERS, 1);
    scene.#markCluster();
    return scene;
  }

  get kafka(): Kafka {
    if (this.#kafka === undefined) throw new Error('no gateway runs');
    return this.#kafka;
  }

  /** Starts a gateway on the directory. Changed settings stay changed. */
  async start(changes: Partial<Settings> = {}): Promise<void> {
    this.#changes = { ...this.#changes, ...changes };
    this.#isDead = false;
    this.#kafka = kafkaOn(settingsFor(this.directory, this.#changes), this.cluster);
    await startKafka(this.#kafka, this.directory);
  }

  /** Starts a gateway that reaches Kafka and then loses it, with one device. Partitions are known. */
  async startAndLose(changes: Partial<Settings> = {}): Promise<Device> {
    await this.start(changes);
    this.lose();
    return this.device('10001');
  }

  /** Starts a gateway that has never reached Kafka, with two devices. */
  async startWithoutKafka(changes: Partial<Settings> = {}): Promise<[Device, Device]> {
    this.lose();
    await this.start(changes);
    return [this.device('10001'), this.device('10002')];
  }

  /** Kafka is out of reach. Readings that are sent from now on go to the disk. */
  lose(): void {
    this.cluster.isReachable = false;
  }

  find(): void {
    this.cluster.isReachable = true;
    this.kafka.link?.refresh('test');
  }

  device(zipcode: string): Device {
    const name = `${zipcode}#${this.devices.length}`;
    const isNow = this.#kafka;
    const session = {
      ...fakeSession(zipcode, name),
      stored: (id: number) => {
        if (this.#isDead || isNow !== this.#kafka) return;
        session.storedSeqs.push(id);
        this.journal.mark({ kind: 'stored', device: name, id }, `stored ${id} to ${name}`);
      },
    };
    const device = { name, session, sent: [] };
    this.devices.push(device);
    return device;
  }

  /** At least one, at most three. */
  devicesOf(...zipcodes: readonly [string, ...string[]]): [Device, Device, Device] {
    return zipcodes.map((zipcode) => this.device(zipcode)) as [Device, Device, Device];
  }

  /** The device sends this many readings, which make one batch. */
  send(device: Device, count: number, { atFault = [] as readonly number[], padding = 0 } = {}): void {
    for (let index = 0; index < count; index++) {
      const id = this.#nextId++;
      if (atFault.includes(index)) this.#addFault(id);
      const text = `{"id":${id}${padding === 0 ? '' : `,"x":"${'x'.repeat(padding)}"`}}`;
      this.kafka.batcher.append(device.session, reading(text, { seq: id }));
      device.sent.push(id);
    }
    this.kafka.batcher.flush();
  }

  isStored({ session, sent }: Device): boolean {
    return session.storedSeqs.at(-1) === sent.at(-1);
  }

  /** Sends readings and waits until the device is told that they are stored. */
  async store(device: Device, count: number, options: Parameters<Scene['send']>[2] = {}): Promise<void> {
    this.send(device, count, options);
    await until(() => this.isStored(device), `${device.name} is told`);
  }

  /** Waits until the gateway has stored the number of partitions. */
  async isRemembered(partitions: number): Promise<void> {
    const layout = () => this.journal.disk.tree.get(`${READINGS}.layout`)?.toString() ?? '';
    await until(() => layout().includes(`:${partitions}`), `${partitions} partitions are remembered`);
  }

  async isGone(name: string): Promise<void> {
    await until(() => !this.journal.disk.tree.has(name), `${name} is removed`);
  }

  delivered(): Promise<void> {
    return untilDelivered(this.kafka);
  }

  /** The process dies. The kernel keeps its writes. */
  async crash(): Promise<void> {
    this.#isDead = true;
    const { kafka } = this;
    await this.journal.crash(() => kafka.close());
    this.#kafka = undefined;
  }

  /** The process dies right after the first change whose text matches. */
  async crashAfter(isIt: RegExp, what: () => void): Promise<void> {
    this.journal.crashAfter((text) => isIt.test(text));
    what();
    await until(() => this.journal.isFrozen, `a change like ${isIt}`);
    await this.crash();
  }

  /** The machine dies. Only durable changes are on the disk. */
  async powerCut(): Promise<void> {
    await this.crash();
    this.journal.powerCut();
  }

  async stop(): Promise<void> {
    await this.kafka.flushToSpool(Promise.resolve());
    await this.kafka.close();
    this.#isDead = true;
    this.#kafka = undefined;
  }

  /** Ends the recording, which must agree with the real disk. */
  async end(): Promise<void> {
    if (this.#kafka !== undefined) await this.crash();
    this.journal.stop();
    const isSame = treeKey(readTree(this.directory), isLock) === treeKey(this.journal.disk.tree, isLock);
    rmSync(this.directory, { recursive: true, force: true });
    if (!isSame) throw new Error('the disk differs from the recording');
  }

  #addFault(id: number): void {
    this.atFault.add(id);
    const { atFault } = this;
    this.cluster.check = (topic, { value }) => (topic === READINGS && atFault.has(idIn(value)) ? 87 : 0);
  }

  // Also after the gateway has died: its last requests arrive.
  #markCluster(): void {
    const cluster = this.cluster.copy();
    this.journal.mark({ kind: 'cluster', cluster }, 'the cluster took records');
  }
}

/** The size of all files of the spool. */
export function usedBytes({ journal }: Scene): number {
  let bytes = 0;
  for (const content of journal.disk.tree.values()) bytes += content?.length ?? 0;
  return bytes;
}

/** Starts and stops a gateway on the directory, without a record. */
async function useOnce(directory: string, partitions: number, isReachable: boolean): Promise<void> {
  const cluster = new ModelCluster();
  cluster.isReachable = isReachable;
  for (const topic of [READINGS, LETTERS]) cluster.create(topic, partitions);
  const kafka = kafkaOn(settingsFor(directory, { KAFKA_NUM_PARTITIONS: partitions }), cluster);
  await startKafka(kafka, directory);
  const isKnown = () => existsSync(join(directory, `${READINGS}.layout`));
  if (isReachable) await until(isKnown, 'the partitions are known');
  await kafka.close();
}

/** The content of a lock file is only the owner, and after a crash there is none. */
export function isLock(path: string): boolean {
  return /(^|\/)lock$/.test(path);
}

/** The id of a reading, or of the reading in a dead letter. Old spools (version-1.ts) number readings by key. */
export function idIn(value: string): number {
  const id = /"id":(\d+)/.exec(value)?.[1];
  if (id !== undefined) return Number(id);
  const [, key, number] = /"connection-(\d+)".*"n":(\d+)/.exec(value) ?? [];
  return oldId(key ?? '', Number(number));
}

/** The id of a record of an old spool. */
export function oldId(key: string, number: number): number {
  return Number(key) * 100 + number;
}
