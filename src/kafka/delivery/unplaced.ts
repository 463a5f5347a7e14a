// Writes batches without a certain partition to the topic's unplaced log. Once the partitions are known, it places
// their records: it copies them from the unplaced log, and from the logs of partitions that the topic no longer has,
// into the partitions' logs (placer.ts, chunk-copy.ts).
//
// | state     | new batches go to        | next state, and when                                                     |
// |-----------|--------------------------|--------------------------------------------------------------------------|
// | placed    | their partitions         | unplaced: the topic has fewer partitions                                 |
// | unplaced  | the end of the unplaced  | switching: the partitions are known, and few records are left to copy    |
// |           | log                      |                                                                          |
// | switching | memory                   | placed: the last record is copied. unplaced: the disk fails, or the      |
// |           |                          | gateway stops                                                            |
//
// - The oldest records of a key are in the gone logs, later ones in the unplaced log, the newest in memory: order holds.
// - `stored` is cumulative, so it waits until earlier batches in the partitions' memory are durable.
import type { Log } from '../../log/log.ts';
import { type DiskTrouble, PartitionSpool, troubleOf } from '../../spool/partition-spool.ts';
import type { SpoolLog } from '../../spool/spool-log.ts';
import type { TopicSpool } from '../../spool/topic-spool.ts';
import { pause } from '../../time/backoff.ts';
import { WakeUp } from '../../time/wake-up.ts';
import type { Batch } from '../batches/batch.ts';
import type { BatchLimits } from '../batches/batch-merger.ts';
import type { Codec } from '../batches/compression.ts';
import { UNPLACED } from '../batches/placement.ts';
import { type GatheredFor, NO_PRODUCER, stampUnsent } from '../batches/record-batch.ts';
import type { BatchAccounts } from './batch-accounts.ts';
import { nextChunk, type PlacingOptions, splitByPartition } from './placer.ts';

export interface UnplacedOptions {
  readonly codec: Codec;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The delivery that the batches belong to. */
export interface UnplacedHost extends Pick<BatchAccounts, 'seal' | 'spooled' | 'replaced' | 'settle'> {
  /** Partitions from this number on that have batches or a log, although the topic no longer has them. */
  partitionsBeyond(partitions: number): number[];
  /** Resolves once no partition has a batch in memory. Then a partition writes nothing until it is given a batch. */
  quiet(): Promise<void>;
  /** Ends a quiet partition. Resolves once it no longer uses its log. */
  retire(partition: number): Promise<void>;
  /** Records were copied into the logs of these partitions. */
  copied(partitions: Iterable<number>): void;
  /** Takes a batch for its partition. */
  deliver(batch: Batch): void;
  /** adopt() refused a number of partitions, and would take one now. */
  adoptable(): void;
  trouble(direction: 'write' | 'copy', trouble: DiskTrouble | null): void;
}

/** With this many records or fewer left to copy, new batches wait in memory. Otherwise copying might never end. */
const SWITCH_RECORDS = 10_000;
/** Uncompressed bytes of one copy. The batch that reaches this size is still part of the copy. */
const CHUNK_BYTES = 8 * 2 ** 20;
const RETRY_MS = 500;

export class UnplacedRecords {
  readonly #spool: TopicSpool;
  readonly #options: UnplacedOptions;
  readonly #host: UnplacedHost;
  #state: 'placed' | 'unplaced' | 'switching';
  // How many partitions the topic has. Undefined until Kafka tells.
  #partitions: number | undefined;
  #limits: BatchLimits = { bytes: 0, records: 0 };
  // In memory, oldest first: batches to write to the disk, and batches that wait until records are placed.
  readonly #toWrite: Batch[] = [];
  readonly #waiting: Batch[] = [];
  #writer: PartitionSpool<Batch> | undefined;
  #isWriting = false;
  #isDiskFailing = false;
  // Batches on disk whose devices are not told yet, because earlier batches may not be durable. Otherwise undefined.
  #unconfirmed: Batch[] | undefined;
  readonly #changed = new WakeUp();
  #confirmed: Promise<void> | undefined;
  #placing: Promise<void> | undefined;
  #hasRefused = false;
  #isStopping = false;

  constructor(spool: TopicSpool, options: UnplacedOptions, host: UnplacedHost) {
    this.#spool = spool;
    this.#options = options;
    this.#host = host;
    this.#state = spool.partitionCount === undefined ? 'unplaced' : 'placed';
    options.signal.addEventListener('abort', () => this.#changed.raise(), { once: true });
  }

  /** Batches go to their partitions. */
  get isPlaced(): boolean {
    return this.#state === 'placed';
  }

  /** When the oldest batch in memory was opened, in monotonic milliseconds. */
  get oldestMs(): number | undefined {
    return (this.#toWrite[0] ?? this.#waiting[0])?.openedAtMs;
  }

  /** Takes a new batch while isPlaced is false. */
  add(batch: Batch): void {
    if (this.#state === 'switching') {
      this.#waiting.push(batch);
      return;
    }
    this.#toWrite.push(batch);
    void this.#write();
  }

  /**
   * Adopts the topic's number of partitions.
   * @param limits of the batches that records are placed in
   * @returns the number to gather batches for; undefined if it stays, because placing records for another number must
   * end first
   */
  adopt(partitions: number, limits: BatchLimits): number | undefined {
    this.#limits = limits;
    if (this.#placing !== undefined || this.#isStopping) {
      const isSame = partitions === this.#partitions;
      if (!isSame) this.#hasRefused = true;
      return isSame ? partitions : undefined;
    }
    // An earlier process has placed records of some keys for fewer partitions. Their later records must follow.
    const begun = this.#partitions === undefined ? this.#spool.placedFor : undefined;
    const isBehind = begun !== undefined && begun < partitions;
    if (isBehind) this.#hasRefused = true;
    return this.#adopt(isBehind ? begun : partitions);
  }

  #adopt(partitions: number): number {
    const before = this.#partitions ?? this.#spool.partitionCount ?? 0;
    const beyond = this.#host.partitionsBeyond(partitions);
    this.#partitions = partitions;
    if (this.#state === 'placed' && partitions >= before && beyond.length === 0) void this.#remember();
    else this.#begin(beyond);
    return partitions;
  }

  /** For the stop: from now on every batch is written to disk, and no record is placed any more. */
  stop(): void {
    this.#isStopping = true;
    this.#backToDisk();
    this.#changed.raise();
  }

  /** Resolves once devices are told of all batches on disk. Call it when memory holds no batch any more. */
  async confirmed(): Promise<void> {
    await this.#confirmed;
  }

  /** Resolves once nothing is copied any more. Call it after aborting the signal. */
  async closed(): Promise<void> {
    await this.#placing;
  }

  get #hasEnded(): boolean {
    return this.#isStopping || this.#options.signal.aborted;
  }

  // --- to the disk ---

  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    const writer = await this.#openWriter();
    while (writer !== undefined) {
      const [batch] = this.#toWrite;
      if (batch === undefined) break;
      await this.#host.seal(batch);
      // #bypass() may have taken the batch meanwhile.
      if (batch !== this.#toWrite[0]) continue;
      this.#toWrite.shift();
      batch.producer = NO_PRODUCER;
      if (batch.bytes !== undefined) stampUnsent(batch.bytes, this.#gatheredFor(batch));
      writer.add(batch);
    }
    this.#isWriting = false;
    this.#changed.raise();
  }

  /** When a topic shrinks, connections stay in their partitions, although their keys may belong elsewhere now. */
  #gatheredFor({ partition }: Batch): GatheredFor | undefined {
    const partitions = this.#partitions;
    return partition === UNPLACED || partitions === undefined ? undefined : { partition, partitions };
  }

  /** Undefined once delivery is closed. */
  async #openWriter(): Promise<PartitionSpool<Batch> | undefined> {
    if (this.#writer !== undefined) return this.#writer;
    const log = await this.#untilDone('write', () => this.#spool.unplaced());
    if (log === undefined) return undefined;
    this.#writer = new PartitionSpool<Batch>(
      log,
      {
        durable: (batches) => this.#durable(batches),
        trouble: (trouble) => this.#trouble('write', trouble),
      },
      this.#options.signal,
    );
    return this.#writer;
  }

  #durable(batches: readonly Batch[]): void {
    this.#host.spooled(batches);
    if (this.#unconfirmed !== undefined) this.#unconfirmed.push(...batches);
    else for (const batch of batches) this.#host.settle(batch);
    this.#changed.raise();
  }

  /** Writes the batches that wait in memory to the disk after all. */
  #backToDisk(): void {
    if (this.#state !== 'switching') return;
    this.#state = 'unplaced';
    this.#toWrite.push(...this.#waiting.splice(0));
    void this.#write();
  }

  // --- to the partitions ---

  #begin(gone: readonly number[]): void {
    const { topic } = this.#spool;
    if (this.#state === 'placed') {
      this.#state = 'unplaced';
      this.#options.log.write('partitions_gone', { topic, partitions: this.#partitions, gone });
    }
    this.#confirmed = this.#confirm();
    this.#placing = this.#place(gone).finally(() => {
      this.#placing = undefined;
      if (!this.#hasEnded && this.#hasRefused) this.#host.adoptable();
      this.#hasRefused = false;
    });
  }

  /** Tells devices `stored` once every earlier batch in the partitions' memory is durable. */
  async #confirm(): Promise<void> {
    this.#unconfirmed = [];
    // The partitions' batches in memory must reach the logs even past the cap: nothing frees space before that. New
    // batches keep to the cap meanwhile, so it is exceeded only by the batches that are in memory now.
    await this.#spool.beyondCap('all', this.#host.quiet());
    if (this.#options.signal.aborted) return;
    for (const batch of this.#unconfirmed) this.#host.settle(batch);
    this.#unconfirmed = undefined;
  }

  async #place(gone: readonly number[]): Promise<void> {
    await this.#confirmed;
    if (this.#options.signal.aborted) return;
    for (const partition of gone) {
      await this.#host.retire(partition);
      await this.#untilDone('copy', () => this.#spool.markGone(partition));
    }
    const records = recordsIn(this.#spool.sources);
    while (!this.#hasEnded && !(await this.#step()));
    if (this.#hasEnded) return;
    // Files left over from copying do no harm, and the next start removes them.
    await this.#spool.endPlacing().catch(() => undefined);
    await this.#remember();
    if (this.#state === 'switching') await this.#switch();
    if (records === 0 || !this.isPlaced) return;
    const { topic } = this.#spool;
    this.#options.log.write('records_placed', { topic, records });
  }

  /** Copies a chunk if there is one. True if nothing is left to copy or to write. */
  async #step(): Promise<boolean> {
    const { sources } = this.#spool;
    const [source] = sources;
    if (this.#state === 'unplaced' && recordsIn(sources) <= SWITCH_RECORDS) this.#state = 'switching';
    if (source !== undefined) await this.#copy(source);
    else if (this.#toWrite.length === 0 && (this.#writer?.waiting ?? 0) === 0) return true;
    else if (this.#isDiskFailing) return this.#bypass();
    else await this.#changed.wait();
    return false;
  }

  async #copy(source: SpoolLog): Promise<void> {
    const chunk = await this.#untilDone('copy', async () =>
      nextChunk(source, await this.#spool.copyBytes(CHUNK_BYTES), this.#placingOptions),
    );
    if (chunk === undefined) {
      // Only damaged bytes were left, which were skipped, or the gateway stops.
      if (source.records > 0) await pause(RETRY_MS, this.#options.signal);
      return;
    }
    const copy = this.#spool.copy(chunk);
    const isDone = await this.#untilDone('copy', async () => {
      // Durable first, so that a start after a crash places the rest of a key's records for the same number.
      await this.#spool.setPartitionCount(chunk.partitions);
      await copy.run();
      return true;
    });
    if (isDone) this.#host.copied(chunk.batches.keys());
  }

  /** The disk cannot be written, and everything on it is copied: batches go to their partitions from memory. */
  async #bypass(): Promise<boolean> {
    const written = this.#writer?.takeBack() ?? [];
    // The batches are being written again at this moment.
    if (written.length === 0 && (this.#writer?.waiting ?? 0) > 0) {
      await this.#changed.wait(RETRY_MS);
      return false;
    }
    // In front of the batches that came later.
    this.#waiting.unshift(...written, ...this.#toWrite.splice(0));
    await this.#switch();
    return this.isPlaced;
  }

  /** Hands the batches that wait in memory to their partitions. New ones go there too. */
  async #switch(): Promise<void> {
    const parts = new Map<Batch, Batch[]>();
    // More batches may come meanwhile.
    for (let at = 0; at < this.#waiting.length; at++) {
      const batch = this.#waiting[at] as Batch;
      // Other batches were gathered before the partitions were known, or for a partition that is gone.
      if (batch.partition !== UNPLACED && batch.partition < this.#placingOptions.partitions) continue;
      await this.#host.seal(batch);
      parts.set(batch, await splitByPartition(batch, this.#placingOptions));
    }
    // If the gateway has begun to stop, the batches are on their way to the disk.
    if (this.#state === 'switching') this.#end(parts);
  }

  /** In one turn, so that no later batch overtakes these. */
  #end(parts: ReadonlyMap<Batch, Batch[]>): void {
    this.#state = 'placed';
    for (const batch of this.#waiting.splice(0)) {
      const own = parts.get(batch);
      if (own !== undefined) this.#host.replaced(batch, own);
      for (const one of own ?? [batch]) {
        one.producer = undefined;
        this.#host.deliver(one);
      }
    }
  }

  get #placingOptions(): PlacingOptions {
    return { partitions: this.#partitions ?? 1, limits: this.#limits, codec: this.#options.codec };
  }

  /** The number is only a hint for the next start, so nothing waits for it if the disk fails. */
  async #remember(): Promise<void> {
    if (this.#partitions === undefined) return;
    await this.#spool.setPartitionCount(this.#partitions).catch(() => undefined);
  }

  /** Tries again while the disk fails. Undefined if the gateway stops before it succeeds. */
  async #untilDone<T>(direction: 'write' | 'copy', work: () => Promise<T>): Promise<T | undefined> {
    const hasEnded = () => (direction === 'copy' ? this.#hasEnded : this.#options.signal.aborted);
    while (!hasEnded()) {
      try {
        const result = await work();
        this.#trouble(direction, null);
        return result;
      } catch (error) {
        const what = direction === 'copy' ? 'copied to their partitions’ logs' : 'written';
        const reason = `records without a partition cannot be ${what}: ${(error as Error).message}`;
        this.#trouble(direction, { ...troubleOf(error), reason });
        // New batches must not wait in memory for a failing disk.
        if (direction === 'copy') this.#backToDisk();
        await pause(RETRY_MS, this.#options.signal);
      }
    }
    return undefined;
  }

  #trouble(direction: 'write' | 'copy', trouble: DiskTrouble | null): void {
    if (direction === 'write') this.#isDiskFailing = trouble !== null;
    this.#host.trouble(direction, trouble);
    this.#changed.raise();
  }
}

function recordsIn(logs: readonly SpoolLog[]): number {
  return logs.reduce((sum, { records }) => sum + records, 0);
}
