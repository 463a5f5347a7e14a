// Sends spools that nobody writes to any more: topics in this process's part other than those that the settings name, and
// everything in the parts of former processes, their dead letters included. It removes the folders of a sent topic from
// the own part, and the whole part of a former process, while it holds the lock.
import { existsSync } from 'node:fs';
import type { LimitedLines } from '../../log/limited-lines.ts';
import type { Log } from '../../log/log.ts';
import type { Spool } from '../../spool/spool.ts';
import { pause } from '../../time/backoff.ts';
import { openPart, type Part, removePart, type SpoolKind } from './orphaned-part.ts';
import { type SpooledRecords, SpooledTopic } from './spooled-topic.ts';

export interface OrphanedSpoolsDeps {
  readonly readings: SpoolKind;
  readonly letters: SpoolKind;
  /** Topics of readings that have a pipeline of their own. */
  readonly currentTopics: ReadonlySet<string>;
  /** At least one broker is connected. */
  readonly isConnected: () => boolean;
  readonly log: Log;
}

/** A topic of readings that the settings do not name, in one part of the spool. */
export interface OtherTopic {
  readonly topic: string;
  readonly records: number;
  readonly bytes: number;
  /** Why the topic is not delivered now, or null. */
  readonly problem: string | null;
}

/** Dead letters of former processes. */
export interface OrphanedLetters {
  /** Acknowledged by Kafka. */
  readonly sent: number;
  readonly waiting: number;
  /** Why the letters wait, or null. */
  readonly problem: string | null;
}

interface Orphan {
  readonly part: Part;
  readonly kind: SpoolKind;
  readonly sender: SpooledTopic;
  /** The problem that the log named last, and when. */
  lastWarning: { readonly problem: string | null; readonly atMs: number };
}

const POLL_MS = 500;
/** Topics that are sent at the same time. A stuck topic keeps its pipeline, but does not count. */
const MAX_ACTIVE = 8;
const WARN_EVERY_MS = 60_000;

export class OrphanedSpools {
  readonly #deps: OrphanedSpoolsDeps;
  readonly #done = { recovered: 0, confirmed: 0, deadLettered: 0, damaged: 0, spooled: 0 };
  #badBatchesDone = 0;
  #lettersSent = 0;
  #orphans: Orphan[] = [];
  #parts: Part[] = [];
  /** Directories that are not open yet, because their process may still be ending. The reason is set if opening failed. */
  readonly #unopened = new Map<string, string | null>();
  readonly #lines: LimitedLines;
  readonly #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #isSending = false;

  constructor(deps: OrphanedSpoolsDeps) {
    this.#deps = deps;
    this.#lines = deps.log.limited();
  }

  /** Readings found on disk, by what became of them. */
  get records(): SpooledRecords {
    const sum = { ...this.#done };
    for (const { sender } of this.#readings) add(sum, sender.records);
    return sum;
  }

  /** Damaged places in readings that were skipped. */
  get badBatches(): number {
    return this.#readings.reduce((sum, { sender }) => sum + sender.spool.badBatches, this.#badBatchesDone);
  }

  /** Time of the oldest reading, in milliseconds since 1970. Undefined if there is none. */
  get oldestMs(): number | undefined {
    const times = this.#readings.flatMap(({ sender }) => sender.spool.oldestMs ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Records are being sent from the disk. Up to POLL_MS old, because it is read many times a second. */
  get isSending(): boolean {
    return this.#isSending;
  }

  /** A topic occurs once for each part that has it. */
  get otherTopics(): readonly OtherTopic[] {
    return this.#readings
      .filter((orphan) => this.#isOther(orphan))
      .map((orphan) => {
        const { topic, records, bytes } = orphan.sender.spool;
        return { topic, records, bytes, problem: problemOfOrphan(orphan) };
      });
  }

  get letters(): OrphanedLetters {
    const letters = this.#orphans.filter(({ kind }) => kind === this.#deps.letters);
    const sum = (read: (sender: SpooledTopic) => number) =>
      letters.reduce((total, { sender }) => total + read(sender), 0);
    const problem = firstText(letters.map(problemOfOrphan));
    return {
      sent: this.#lettersSent + sum(({ records }) => records.confirmed),
      waiting: sum(({ spool }) => spool.records),
      problem: problem && `dead letters of a former process wait on disk: ${problem}`,
    };
  }

  /** Why the disk cannot be read, or null. */
  get trouble(): string | null {
    return firstText(this.#orphans.map(({ sender }) => sender.trouble));
  }

  /** Why readings are not delivered. */
  get problems(): readonly string[] {
    return [...this.#readings.flatMap(({ sender }) => sender.problem ?? []), ...this.#partProblems];
  }

  /** From now on counts the other topics in this process's own part. start() begins to send them. */
  adopt(own: Spool): void {
    this.#add({ directory: own.directory, readings: own, letters: undefined, isOwn: true });
  }

  /** Opens the parts of former processes that can be opened now, and begins to send. */
  async start(directories: readonly string[]): Promise<void> {
    if (this.#abort.signal.aborted) return;
    for (const directory of directories) this.#unopened.set(directory, null);
    const begun = this.#work();
    this.#running = begun.then(() => this.#goOn());
    await begun;
  }

  /** Stops sending, and closes the parts of former processes. The own part's owner closes it. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    for (const { sender } of this.#orphans) await sender.close();
    for (const { letters, readings, isOwn } of this.#parts) {
      await letters?.close();
      if (!isOwn) await readings.close();
    }
  }

  get #readings(): Orphan[] {
    return this.#orphans.filter(({ kind }) => kind === this.#deps.readings);
  }

  get #partProblems(): string[] {
    return [...this.#unopened].flatMap(([directory, reason]) =>
      reason === null ? [] : `${directory}: ${reason}`,
    );
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#abort;
    while (this.#unopened.size + this.#orphans.length + this.#parts.length > 0 && !signal.aborted) {
      await pause(POLL_MS, signal);
      if (!signal.aborted) await this.#work();
    }
  }

  async #work(): Promise<void> {
    for (const directory of [...this.#unopened.keys()]) await this.#open(directory);
    for (const orphan of this.#orphans.filter(({ sender }) => sender.isSent)) await this.#finish(orphan);
    for (const part of [...this.#parts]) {
      if (this.#orphans.some((orphan) => orphan.part === part)) continue;
      if (!part.isOwn) await removePart(part, this.#deps.log);
      this.#parts = this.#parts.filter((other) => other !== part);
    }
    this.#startNext();
    this.#isSending = this.#orphans.some(({ sender }) => sender.isStarted && !sender.isStuck);
    for (const orphan of this.#orphans) this.#warn(orphan);
  }

  async #open(directory: string): Promise<void> {
    if (this.#abort.signal.aborted) return;
    try {
      // An operator may have drained and removed the part meanwhile.
      if (existsSync(directory)) this.#add(await openPart(directory, this.#deps));
      this.#unopened.delete(directory);
    } catch (error) {
      this.#unopened.set(directory, (error as Error).message);
      this.#lines.write('orphan_unopened', { reasons: this.#partProblems });
    }
  }

  /** In one turn, so that the figures never show a part of the records. */
  #add(part: Part): void {
    const { readings, letters, log, currentTopics } = this.#deps;
    const orphan = (kind: SpoolKind, spool: Spool) =>
      spool.topics
        .filter(({ topic, records }) => (part.isOwn ? !currentTopics.has(topic) : records > 0))
        .map((topic) => ({
          part,
          kind,
          sender: new SpooledTopic(topic, () => kind.createPipeline(topic.topic)),
          lastWarning: { problem: null, atMs: Number.NEGATIVE_INFINITY },
        }));
    const added = [
      ...orphan(readings, part.readings),
      ...(part.letters === undefined ? [] : orphan(letters, part.letters)),
    ];
    this.#parts.push(part);
    this.#orphans.push(...added);
    const { directory, isOwn } = part;
    if (!isOwn) {
      const { records } = part.readings;
      log.write('orphan_taken_up', { directory, records, deadLetters: part.letters?.records ?? 0 });
    }
    for (const one of added) {
      const { topic, recovered: records } = one.sender;
      if (records === 0 || !this.#isOther(one)) continue;
      log.write('other_topic_found', { topic, records, directory });
    }
  }

  /** Starts the next topics. Stuck topics do not hold up others while a broker is connected. */
  #startNext(): void {
    if (this.#abort.signal.aborted) return;
    const isActive = ({ sender }: Orphan) =>
      sender.isStarted && !(sender.isStuck && this.#deps.isConnected());
    let active = this.#orphans.filter(isActive).length;
    for (const { sender, kind } of this.#orphans) {
      if (active >= MAX_ACTIVE) return;
      if (sender.isStarted || kind.blocked !== null) continue;
      sender.start();
      active++;
    }
  }

  /** Closes a topic of which nothing is left on disk, and adds its figures to the sums. */
  async #finish(orphan: Orphan): Promise<void> {
    const { part, kind, sender } = orphan;
    await sender.close();
    this.#orphans = this.#orphans.filter((other) => other !== orphan);
    if (kind === this.#deps.letters) this.#lettersSent += sender.records.confirmed;
    else {
      add(this.#done, sender.records);
      this.#badBatchesDone += sender.spool.badBatches;
    }
    const { topic } = sender;
    const { recovered: records, confirmed, deadLettered, damaged } = sender.records;
    if (records > 0 && this.#isOther(orphan))
      this.#deps.log.write('other_topic_sent', {
        topic,
        records,
        confirmed,
        deadLettered,
        damaged,
        directory: part.directory,
      });
    if (!part.isOwn) return;
    // The next start finds folders that cannot be removed now.
    await part.readings
      .removeTopic(sender.spool)
      .catch((error: unknown) => this.#deps.log.write('other_topic_folders_kept', { topic, err: error }));
  }

  /** Logs why a topic is not delivered: a new reason at once, the same one every WARN_EVERY_MS. */
  #warn(orphan: Orphan): void {
    const { sender, kind } = orphan;
    // Without any broker, the metadata refresher logs it once for all topics.
    if (!sender.isStuck || !this.#deps.isConnected()) return;
    const { problem, topic, spool } = sender;
    const now = performance.now();
    if (orphan.lastWarning.problem === problem || now - orphan.lastWarning.atMs < WARN_EVERY_MS) return;
    orphan.lastWarning = { problem, atMs: now };
    const content = kind === this.#deps.letters ? 'dead letters of a former process' : `records of ${topic}`;
    this.#deps.log.write('other_topic_waiting', {
      content,
      topic,
      records: spool.records,
      reason: problem ?? undefined,
    });
  }

  #isOther({ kind, sender }: Orphan): boolean {
    return kind === this.#deps.readings && !this.#deps.currentTopics.has(sender.topic);
  }
}

function problemOfOrphan({ kind, sender }: Orphan): string | null {
  return kind.blocked ?? sender.problem;
}

function add(sum: { -readonly [K in keyof SpooledRecords]: number }, records: SpooledRecords): void {
  for (const name of Object.keys(records) as (keyof SpooledRecords)[]) sum[name] += records[name];
}

function firstText(texts: readonly (string | null)[]): string | null {
  return texts.find((text) => text !== null) ?? null;
}
