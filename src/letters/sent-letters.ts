// Owns the file `sent`: which letters of the topic were taken for sending, and how far the logs of the outbox count. One
// replacement of the file is the moment in which letters are taken (outbox.ts).
//
// - The file: a CRC-32C in 8 hex digits, a space, JSON, a line feed.
// - `sent`: for each cluster, topic and partition the offsets as ranges, and the checksum of the letter with the highest
//   one. If another letter has that offset, the topic was created again, and nothing of the new one was sent.
// - `logs`: the end of each log of the outbox. Records behind it were never taken.
// - Offsets that retention has deleted are forgotten, so the file stays as small as the selections are few.
import { readFile } from 'node:fs/promises';
import { crc32c } from '../checksum/crc32c.ts';
import { replaceFile } from '../disk/durable-file.ts';
import { type OffsetRange, OffsetRanges } from './offset-ranges.ts';

/** A partition of the topic of dead letters. */
export interface LetterLog {
  /** Kafka's cluster id; empty if the brokers do not tell it. */
  readonly cluster: string;
  readonly topic: string;
  readonly partition: number;
}

interface SentOf extends LetterLog {
  readonly ranges: readonly OffsetRange[];
  readonly lastChecksum: number;
}

interface Content {
  readonly version: 1;
  readonly logs: Readonly<Record<string, number>>;
  readonly sent: readonly SentOf[];
}

interface Entry extends LetterLog {
  readonly ranges: OffsetRanges;
  lastChecksum: number;
}

/** About 3 MB of JSON. A selection that takes every second letter of a topic makes a range for each. */
export const MAX_RANGES = 100_000;

/** The file is damaged, or of a newer version: nobody knows which letters were sent. */
export class SentUnreadableError extends Error {
  readonly code = 'SENT_UNREADABLE';

  constructor(path: string) {
    super(
      `${path} is damaged or of a newer version, so nobody knows which letters were sent. Restore it, or move it away: then all letters count as not sent, and those that were sent would be sent twice`,
    );
  }
}

export class SentLetters {
  readonly #path: string;
  readonly #entries = new Map<string, Entry>();
  readonly #logs = new Map<string, number>();

  private constructor(path: string) {
    this.#path = path;
  }

  /** @throws SentUnreadableError, or the system's error */
  static async read(path: string): Promise<SentLetters> {
    const sent = new SentLetters(path);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return sent;
    const content = decode(text);
    if (content === undefined) throw new SentUnreadableError(path);
    for (const one of content.sent)
      sent.#entries.set(keyOf(one), { ...one, ranges: new OffsetRanges(one.ranges) });
    for (const [name, end] of Object.entries(content.logs)) sent.#logs.set(name, end);
    return sent;
  }

  has(log: LetterLog, offset: number): boolean {
    return this.#entries.get(keyOf(log))?.ranges.has(offset) ?? false;
  }

  /** The highest offset that was taken, and the checksum of its letter. Undefined if none was. */
  lastOf(log: LetterLog): { readonly offset: number; readonly checksum: number } | undefined {
    const entry = this.#entries.get(keyOf(log));
    return entry === undefined || entry.ranges.last < 0
      ? undefined
      : { offset: entry.ranges.last, checksum: entry.lastChecksum };
  }

  get rangeCount(): number {
    return [...this.#entries.values()].reduce((sum, { ranges }) => sum + ranges.all.length, 0);
  }

  /** Offsets count from write() on. @param body of the letter */
  add(log: LetterLog, offset: number, body: Uint8Array): void {
    const key = keyOf(log);
    const entry = this.#entries.get(key) ?? { ...log, ranges: new OffsetRanges(), lastChecksum: 0 };
    this.#entries.set(key, entry);
    if (offset > entry.ranges.last) entry.lastChecksum = crc32c(body);
    entry.ranges.add(offset);
  }

  /** Forgets offsets that Kafka has deleted, or with Infinity all of the partition. */
  dropBelow(log: LetterLog, offset: number): void {
    const entry = this.#entries.get(keyOf(log));
    entry?.ranges.dropBelow(offset);
    if (entry?.ranges.all.length === 0) this.#entries.delete(keyOf(log));
  }

  /** The end of a log of the outbox; 0 if it has none yet. */
  endOf(name: string): number {
    return this.#logs.get(name) ?? 0;
  }

  setEnd(name: string, end: number): void {
    this.#logs.set(name, end);
  }

  /** Durable once this resolves. @throws the system's error; then the file is unchanged */
  async write(): Promise<void> {
    const sent = [...this.#entries.values()].map(
      ({ cluster, topic, partition, ranges, lastChecksum }): SentOf => ({
        cluster,
        topic,
        partition,
        ranges: ranges.all,
        lastChecksum,
      }),
    );
    const content: Content = { version: 1, logs: Object.fromEntries(this.#logs), sent };
    const json = JSON.stringify(content);
    await replaceFile(this.#path, Buffer.from(`${checksumOf(json)} ${json}\n`));
  }
}

function decode(text: string): Content | undefined {
  const json = text.slice(9, -1);
  if (text.slice(0, 9) !== `${checksumOf(json)} `) return undefined;
  const content = JSON.parse(json) as { version: number };
  return content.version === 1 ? (content as Content) : undefined;
}

function checksumOf(json: string): string {
  return crc32c(Buffer.from(json)).toString(16).padStart(8, '0');
}

/** Topics have no spaces. */
function keyOf({ cluster, topic, partition }: LetterLog): string {
  return `${topic} ${partition} ${cluster}`;
}
