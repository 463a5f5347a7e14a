// Writes who is connected to KAFKA_TOPIC_PRESENCE. The owner of the connection ledger has the only one of a gateway, so
// the records of a key are in the order in which the ledger decided. Readings never wait for it: it has its own
// connections to Kafka, its own memory and its own folder of the spool. More states than it has room for are merged by
// key, and the last one is kept.
import type { Figures } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import { presenceBytes } from '../config/shares.ts';
import type { FileWatch } from '../files/file-watch.ts';
import { createCodec } from '../kafka/batches/compression.ts';
import { partitionOf } from '../kafka/batches/partitioner.ts';
import { encodeBody } from '../kafka/batches/record-body.ts';
import type { KafkaClient } from '../kafka/client/kafka-client.ts';
import { createCluster, spoolOptions } from '../kafka/from-settings.ts';
import {
  closePipeline,
  createDiskPipeline,
  type Pipeline,
  problemOf,
  startPipeline,
  useSpool,
} from '../kafka/pipelines/pipeline.ts';
import { createPresencePipeline } from '../kafka/pipelines/presence-pipeline.ts';
import { SpooledTopic } from '../kafka/pipelines/spooled-topic.ts';
import type { LimitedLines } from '../log/limited-lines.ts';
import type { Log } from '../log/log.ts';
import { type PresenceState, presenceValue } from '../protocol/presence-state.ts';
import { presenceDirectory } from '../spool/parts.ts';
import { Spool, type SpoolOptions } from '../spool/spool.ts';
import { PendingStates } from './pending-states.ts';

export interface PresenceDeps {
  readonly log: Log;
  readonly files: FileWatch;
  /** Left out: that of the settings. */
  readonly cluster?: KafkaClient | undefined;
  /** Milliseconds that a stop may write to the disk. Left out: 1 s. */
  readonly stopSpoolMs?: number;
}

/** Null is a tombstone: a compacted topic forgets the key. */
type Waiting = { readonly atMs: number; readonly state: PresenceState | null };

/** Keys that may wait for room. Each connection has two: its own id, and its device_id. */
const PENDING_KEYS = { perConnection: 4, min: 10_000, max: 200_000 } as const;
/** States appended in one turn of the event loop. */
const SLICE = 1000;
/** A healthy Kafka has all of it by then. */
const STOP_FLUSH_MS = 1_000;
const STOP_SPOOL_MS = 1_000;

export class Presence {
  readonly topic: string;
  readonly pipeline: Pipeline;
  readonly #settings: Settings;
  readonly #lines: LimitedLines;
  readonly #log: Log;
  readonly #cluster: KafkaClient | undefined;
  readonly #stopSpoolMs: number;
  readonly #spoolOptions: Omit<SpoolOptions, 'directory'>;
  readonly #pending: PendingStates<Waiting>;
  readonly #createFormer: (topic: string) => Pipeline;
  readonly #closing = new AbortController();
  #spool: Spool | undefined;
  #former: readonly SpooledTopic[] = [];
  #isDraining = false;
  #noted = 0;
  #recovered = 0;
  #merged = 0;
  #dropped = 0;

  /** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
  constructor(
    settings: Settings,
    topic: string,
    { log, files, cluster, stopSpoolMs = STOP_SPOOL_MS }: PresenceDeps,
  ) {
    this.topic = topic;
    this.#settings = settings;
    this.#log = log;
    this.#lines = log.limited();
    this.#stopSpoolMs = stopSpoolMs;
    this.#cluster = cluster ?? createCluster(settings, { files, log });
    const codec = createCodec(settings.KAFKA_COMPRESSION);
    const context = { settings, codec, cluster: this.#cluster, log };
    const refused = (_record: unknown, reason: string) => {
      this.#drop(reason);
      return Promise.resolve();
    };
    this.pipeline = createPresencePipeline(context, topic, refused);
    this.#createFormer = (former) => createDiskPipeline(context, former, refused);
    const own = { ...settings, SPOOL_DEAD_BYTES: presenceBytes(settings) };
    this.#spoolOptions = spoolOptions(own, 'SPOOL_DEAD_BYTES', log);
    const { perConnection, min, max } = PENDING_KEYS;
    const keys = Math.min(max, Math.max(min, perConnection * settings.TCP_MAX_CONNECTIONS));
    this.#pending = new PendingStates(keys);
  }

  /** Undefined if KAFKA_TOPIC_PRESENCE is empty. */
  static of(settings: Settings, deps: PresenceDeps): Presence | undefined {
    const { KAFKA_TOPIC_PRESENCE: topic } = settings;
    return topic === null ? undefined : new Presence(settings, topic, deps);
  }

  /**
   * Opens the folder of the spool, and starts looking for Kafka. States that an earlier process left are sent first.
   * @param lockWaitMs how long to wait for another process that has the folder
   */
  async start(lockWaitMs = 0): Promise<void> {
    const directory = presenceDirectory(this.#settings.SPOOL_DIR);
    const { signal } = this.#closing;
    const { spool } = await Spool.open(
      { ...this.#spoolOptions, directory },
      { timeoutMs: lockWaitMs, signal, onWait: () => undefined },
    );
    this.#spool = spool;
    signal.throwIfAborted();
    const own = await spool.topic(this.topic);
    this.#recovered = spool.records;
    const others = spool.topics.filter((topic) => topic !== own);
    for (const topic of others) if (topic.records === 0) await spool.removeTopic(topic);
    this.#former = others
      .filter(({ records }) => records > 0)
      .map((topic) => new SpooledTopic(topic, () => this.#createFormer(topic.topic)));
    if (this.#recovered > 0) this.#log.write('presence_recovered', { records: this.#recovered, directory });
    useSpool(this.pipeline, own);
    startPipeline(this.pipeline);
    for (const former of this.#former) former.start();
  }

  /**
   * A connection has this state now. The states of a connection come in order.
   * @param hasDeviceId the connection has its device_id, and no other one has it
   */
  note(state: PresenceState, hasDeviceId: boolean): void {
    const { connectionId, deviceId, event, atMs } = state;
    if (hasDeviceId && deviceId !== undefined) {
      this.#put(deviceId, { atMs, state });
      // From now on the device_id is the key.
      if (event === 'identified') this.#put(connectionId, { atMs, state: null });
      return;
    }
    this.#put(connectionId, { atMs, state });
    if (event === 'closed') this.#put(connectionId, { atMs, state: null });
  }

  get figures(): Figures['presence'] {
    const problem = this.#waiting === 0 ? null : this.#problem;
    return {
      topic: this.topic,
      noted: this.#noted,
      recovered: this.#recovered,
      written: this.pipeline.delivery.counters.confirmed + this.#sumOfFormer(({ confirmed }) => confirmed),
      merged: this.#merged,
      dropped: this.#dropped,
      waiting: this.#waiting,
      bytes: this.#spoolOptions.cap.bytes,
      problem,
      blocked: this.#pending.size > 0 ? this.pipeline.delivery.spoolTrouble : null,
    };
  }

  /**
   * Writes its records to Kafka, or to the disk if Kafka does not take it soon. Never rejects.
   * @param leftMs of the time for the whole stop
   */
  async stop(leftMs = STOP_FLUSH_MS): Promise<void> {
    const { batcher, delivery, link } = this.pipeline;
    const flushed = async () => {
      await this.#drained();
      batcher.flush();
      await delivery.flushed();
      await this.#cluster?.written();
    };
    const flushMs = Math.max(0, Math.min(leftMs, STOP_FLUSH_MS));
    if (link?.problem === null) await within(flushMs, flushed());
    link?.close();
    this.#cluster?.close();
    const spooled = async () => {
      batcher.flush();
      await delivery.spoolAll();
      await this.#drained();
      batcher.flush();
      await delivery.spoolAll();
    };
    if (this.#spool !== undefined) await within(this.#stopSpoolMs, spooled());
    const lost = this.#pending.size + batcher.openRecords + delivery.inFlightRecords;
    if (lost > 0)
      this.#log.write('presence_lost', { states: lost, reason: delivery.spoolTrouble ?? 'no time was left' });
    this.#closing.abort();
    for (const former of this.#former) await former.close();
    await closePipeline(this.pipeline);
    await this.#spool?.close();
  }

  get #waiting(): number {
    const { batcher, delivery } = this.pipeline;
    const own = batcher.openRecords + delivery.inFlightRecords + delivery.spooledRecords;
    return this.#pending.size + own + this.#sumOfFormer(({ spooled }) => spooled);
  }

  get #problem(): string | null {
    const ofFormer = this.#former.find(({ isSent, problem }) => !isSent && problem !== null);
    return problemOf(this.pipeline) ?? ofFormer?.problem ?? null;
  }

  #sumOfFormer(read: (records: SpooledTopic['records']) => number): number {
    return this.#former.reduce((sum, { records }) => sum + read(records), 0);
  }

  #put(key: string, waiting: Waiting): void {
    this.#noted++;
    if (!this.#isDraining && this.pipeline.batcher.hasRoom()) {
      this.#append(key, waiting);
      return;
    }
    // A tombstone would only say that a key is gone that nobody has heard of.
    if (waiting.state === null && this.#pending.forget(key)) {
      this.#merged += 2;
      return;
    }
    const result = this.#pending.put(key, waiting, waiting.state?.event === 'connected');
    if (result === 'merged') this.#merged++;
    else if (result === 'full') this.#drop('too many keys wait for room in memory');
    if (!this.#isDraining) void this.#drain();
  }

  #drop(reason: string): void {
    this.#dropped++;
    this.#lines.write('presence_dropped', { topic: this.topic, reason });
  }

  #append(key: string, { atMs, state }: Waiting): void {
    const { batcher } = this.pipeline;
    const keyBytes = Buffer.from(key);
    const partition = batcher.partitions === undefined ? 0 : partitionOf(keyBytes, batcher.partitions);
    batcher.appendRaw(partition, atMs, encodeBody(state && presenceValue(state), {}, keyBytes));
  }

  async #drain(): Promise<void> {
    const { batcher } = this.pipeline;
    this.#isDraining = true;
    while (this.#pending.size > 0 && (batcher.hasRoom() || (await batcher.room()))) {
      for (let left = SLICE; left > 0 && batcher.hasRoom(); left--) {
        const next = this.#pending.take();
        if (next === undefined) break;
        this.#append(...next);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isDraining = false;
  }

  async #drained(): Promise<void> {
    while (this.#isDraining && !this.#closing.signal.aborted) {
      this.pipeline.batcher.flush();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Resolves when the work is done, at the latest after this time. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
