// A history of one log of the spool on a simulated disk: batches are added and sent, the disk fails, the process is killed
// or the power is cut at a moment of chance, and a new process goes on. Says which promise was broken.
import { basename } from 'node:path';
import { createWorld } from '../../../simulation/create-world.ts';
import { installHooks } from '../../../simulation/hooks.ts';
import type { Random } from '../../../simulation/world/random.ts';
import type { SimProcess } from '../../../simulation/world/sim-process.ts';
import type { World } from '../../../simulation/world/world.ts';

export interface LogHistory {
  /** Broken promises, in words. */
  readonly broken: readonly string[];
  readonly hash: string;
  readonly added: number;
  readonly sentTwice: number;
  readonly crashes: number;
  /** Calls that a fault has met. */
  readonly faults: number;
  readonly flips: number;
}

export interface LogHistoryOptions {
  /** Processes, one after the other. */
  readonly rounds?: number;
  /** Gets each line of the trace. */
  readonly onTrace?: (line: string) => void;
}

/** A batch that was given to Kafka. */
interface Sent {
  readonly id: number;
  readonly round: number;
}

const DIRECTORY = '/spool/log';
const SEGMENT_BYTES = 2000;
/** The bytes before are no business of the checksum: Kafka writes offset and leader epoch itself. */
const FROM_MAGIC = 16;

/** Imports the code of the spool, with the shims below it. */
async function loadSpool() {
  installHooks();
  const [{ SpoolLog }, { SpoolCap }, { makeBatch, idOf }] = await Promise.all([
    import('../../../src/spool/spool-log.ts'),
    import('../../../src/spool/spool-cap.ts'),
    import('../../spool/support.ts'),
  ]);
  return { SpoolLog, SpoolCap, makeBatch, idOf };
}

type Loaded = Awaited<ReturnType<typeof loadSpool>>;
type Log = Awaited<ReturnType<Loaded['SpoolLog']['open']>>['log'];

export async function playLogHistory(
  seed: number,
  { rounds = 6, onTrace }: LogHistoryOptions = {},
): Promise<LogHistory> {
  const loaded = await loadSpool();
  const world = createWorld(seed, onTrace && { onTrace });
  try {
    const history = new History(world, loaded);
    for (let round = 0; round < rounds; round++) await history.round();
    await history.end();
    return history.judged();
  } finally {
    world.end();
  }
}

class History {
  readonly #world: World;
  readonly #loaded: Loaded;
  readonly #random: Random;
  /** `os` leaves syncing to the kernel, so the power is never cut. */
  readonly #sync: 'batch' | 'os';
  /** The disk never fails, so all promises hold to the letter. */
  readonly #isQuiet: boolean;
  readonly #durable = new Set<number>();
  /** Each batch as it was made. */
  readonly #made = new Map<number, Buffer>();
  readonly #sent: Sent[] = [];
  readonly #broken: string[] = [];
  /** The log has been recovered. */
  #isOpen = false;
  /** Bits that were flipped: each may take one batch. */
  #flips = 0;
  /** The disk has failed, so more than the batch in flight may be sent again. */
  #isFaulty = false;
  #round = 0;
  #next = 1;

  constructor(world: World, loaded: Loaded) {
    this.#world = world;
    this.#loaded = loaded;
    this.#random = world.random('history');
    this.#isQuiet = world.random('quiet').chance(0.3);
    this.#sync = this.#random.chance(0.8) ? 'batch' : 'os';
    world.disk.put('/spool/.keep', '');
  }

  /** One process, until it dies. */
  async round(): Promise<void> {
    const { disk } = this.#world;
    this.#round++;
    this.#isOpen = false;
    const process = this.#world.startProcess(`gateway-${this.#round}`);
    this.#world.after(0, () => void this.#run(process), process);
    if (this.#random.chance(0.5) && !this.#isQuiet) this.#addFaults();
    await this.#world.play({ ms: this.#random.pick([5, 30, 100, 300]) * this.#random.next() });
    process.kill();
    this.#isFaulty ||= disk.faultsMet.size > 0 || disk.usedBytes > disk.limitBytes - 4096;
    disk.heal();
    const isPowerCut = this.#sync === 'batch' && this.#random.chance(0.6);
    disk.crash(isPowerCut ? 'power' : 'process', this.#world.random('power cut'));
    if (!this.#random.chance(0.1) || this.#isQuiet) return;
    const isOfSegment = (path: string) => /^\d{20}\.log$/.test(basename(path));
    if (disk.flipBit(this.#world.random('bit flip'), isOfSegment) !== undefined) this.#flips++;
  }

  /** A last process without faults sends all that is left, and removes the log. */
  async end(): Promise<void> {
    this.#round++;
    const process = this.#world.startProcess('last');
    let isOver = false;
    const work = async (): Promise<void> => {
      const { log, held } = await this.#open();
      while (log.records > 0) await this.#send(log);
      if (held() !== log.bytes)
        this.#broken.push(`${held()} bytes are held of the cap, the log has ${log.bytes}`);
      const left = [...this.#world.disk.sizes(DIRECTORY)].filter(([path]) => !path.endsWith('.bad'));
      const bytes = left.reduce((sum, [, size]) => sum + size, 0);
      // The cursor, and a new segment without a batch.
      if (bytes > 128) this.#broken.push(`an empty log takes ${bytes} bytes`);
      await log.close();
      isOver = true;
    };
    this.#world.after(0, () => void work(), process);
    await this.#world.play({ ms: 600_000, done: () => isOver || !process.alive });
    if (!isOver) this.#broken.push('the last process did not come to its end');
    process.kill();
  }

  judged(): LogHistory {
    const first = new Set<number>();
    const again = new Map<number, number>();
    let newest = 0;
    const sends = this.#sent.map(({ id, round }) => `batch ${id} twice from process ${round}`);
    this.#broken.push(...sends.filter((send, index) => sends.indexOf(send) < index));
    for (const { id, round } of this.#sent) {
      if (first.has(id)) again.set(round, (again.get(round) ?? 0) + 1);
      else if (id < newest) this.#broken.push(`batch ${id} was first sent after batch ${newest}`);
      newest = Math.max(newest, id);
      first.add(id);
    }
    const lost = [...this.#durable].filter((id) => !first.has(id));
    if (lost.length > this.#flips)
      for (const id of lost) this.#broken.push(`batch ${id} was durable and was not sent`);
    for (const [round, batches] of again)
      if (batches > 1 && !this.#isFaulty && this.#flips === 0)
        this.#broken.push(`process ${round} sent ${batches} batches again`);
    return {
      broken: this.#broken,
      hash: this.#world.traceHash,
      added: this.#durable.size,
      sentTwice: [...again.values()].reduce((sum, batches) => sum + batches, 0),
      crashes: this.#round - 1,
      faults: count(this.#world.disk.faultsMet),
      flips: this.#flips,
    };
  }

  async #run(process: SimProcess): Promise<void> {
    const { log, held } = await this.#open();
    this.#isOpen = true;
    const isDrained = this.#random.chance(0.7);
    void this.#add(log, process);
    if (isDrained) void this.#drain(log, process);
    await pause(1);
    if (held() < 0) this.#broken.push(`${held()} bytes are held of the cap`);
  }

  /** Opens the log, as often as the disk refuses it. */
  async #open(): Promise<{ log: Log; held: () => number }> {
    const { SpoolLog, SpoolCap } = this.#loaded;
    for (;;) {
      const cap = new SpoolCap(Number.POSITIVE_INFINITY);
      try {
        const { log } = await SpoolLog.open({
          directory: DIRECTORY,
          segmentBytes: SEGMENT_BYTES,
          sync: this.#sync,
          cap,
        });
        return { log, held: () => cap.bytes };
      } catch {
        await pause(5);
      }
    }
  }

  async #add(log: Log, process: SimProcess): Promise<void> {
    const random = this.#world.random(`adds of ${this.#round}`);
    while (process.alive) {
      const ids = Array.from({ length: random.pick([1, 1, 2, 4]) }, () => this.#next++);
      const batches: Buffer[] = [];
      for (const id of ids) {
        const batch = await this.#loaded.makeBatch(id, random.between(1, 3), random.pick([0, 100, 700]));
        this.#made.set(id, Buffer.from(batch));
        batches.push(batch);
      }
      for (;;) {
        try {
          await log.append(batches);
          break;
        } catch {
          await pause(random.between(1, 10));
        }
      }
      for (const id of ids) this.#durable.add(id);
      this.#world.note(`durable: ${ids.join(' ')}`);
      await pause(random.pick([0, 0, 1, 5]));
    }
  }

  async #drain(log: Log, process: SimProcess): Promise<void> {
    while (process.alive) await this.#send(log);
  }

  /** Sends the next batch as the drain does: its end is durable before, and the cursor moves afterwards. */
  async #send(log: Log): Promise<void> {
    const random = this.#world.random(`sends of ${this.#round}`);
    try {
      const batch = await log.next();
      if (batch === undefined) return await pause(1);
      const end = batch.offset + batch.count;
      if (log.sendingEnd !== end) await log.setSendingEnd(end);
      this.#world.note(`sends batch ${this.#loaded.idOf(batch.bytes)}, up to offset ${end}`);
      const id = Number(this.#loaded.idOf(batch.bytes));
      if (this.#made.get(id)?.subarray(FROM_MAGIC).equals(batch.bytes.subarray(FROM_MAGIC)) !== true)
        this.#broken.push(`batch ${id} has other bytes`);
      this.#sent.push({ id, round: this.#round });
      await pause(random.pick([0, 1, 4]));
      await log.acknowledge(end).catch(() => undefined);
    } catch {
      await pause(random.between(1, 10));
      await log.rewind();
    }
  }

  #addFaults(): void {
    const { disk } = this.#world;
    const random = this.#random;
    const round = this.#round;
    const later = (work: () => void) => {
      const unlessOver = () => {
        if (this.#round === round) work();
      };
      this.#world.after(random.between(0, 100), unlessOver, this.#world.outside);
    };
    const times = random.pick([1, 1, 2, 5]);
    // The name of the log's folder, which the first process makes.
    if (round === 1 && random.chance(0.3))
      disk.fail('sync', 'EIO', { times, matching: (path) => !path.includes('.') });
    const code = random.pick(['EIO', 'EIO', 'ENOSPC', 'EDQUOT']);
    const op = random.pick([
      'write',
      'write',
      'sync',
      'sync',
      'open',
      'unlink',
      'truncate',
      'rename',
      'close',
    ] as const);
    // A file that cannot be read at a start counts as damaged, so reads fail only later.
    const matching = op === 'open' ? () => this.#isOpen : undefined;
    later(() => disk.fail(op, code, { times, matching }));
    // After a failed sync the file may not be cut either.
    if (op === 'sync' && random.chance(0.5)) later(() => disk.fail('truncate', 'EIO', { times }));
    if (random.chance(0.3)) later(() => disk.shortenNextWrite(random.next()));
    if (random.chance(0.3)) later(() => disk.fail('read', 'EIO', { times: 1, matching: () => this.#isOpen }));
    if (random.chance(0.2)) later(() => disk.hang('sync'));
    if (random.chance(0.3))
      later(() => {
        disk.limitBytes = disk.usedBytes + random.between(0, 8000);
      });
  }
}

function count(met: ReadonlyMap<string, number>): number {
  return [...met.values()].reduce((sum, times) => sum + times, 0);
}

/** On the clock of the world. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
