// Upgrades a spool directory of version 1 to the newest version, at the start and under the lock. Each step can be
// repeated after a crash at any point, and no step removes the only copy of a record.
//
// Version 1 has for each topic: the logs `<topic>-<p>`; `<topic>.layout`, `{"partitions":n,"known":b}`; and, while it
// rewrote the logs for another number of partitions, `<topic>.placing/` with a second set of logs and the empty marker
// files `done` (the second set is complete and synced) and `old-removed` (the first set is gone). It wrote the second
// set, then `done`, removed the first set, wrote `old-removed`, moved the second set out, and removed the folder with
// its markers in any order. A crash or a failed call may leave:
//
// | `done` | `old-removed` | logs inside | state                             | action                                    |
// |--------|---------------|-------------|-----------------------------------|-------------------------------------------|
// | no     | no            | any         | the second set is unfinished      | the folder goes aside                     |
// | no     | no            | yes         | the same, but no log outside is   | all logs become sources: those inside are |
// |        |               |             | older: a swap had failed and was  | the only copy                             |
// |        |               |             | being started again               |                                           |
// | yes    | no            | yes         | the first set is being removed    | its rest goes aside, `old-removed` is     |
// |        |               |             |                                   | written, then as in the next row          |
// | any    | yes           | yes         | the second set is being moved out | the logs inside are moved out             |
// | any    | yes           | no          | the swap was complete             | the folder goes aside                     |
// | yes    | no            | no          | the swap was complete             | the folder goes aside                     |
//
// - A log outside is older if nothing was written to it since the folder was made. Then it is complete and of the first
//   set. A log of the first set that was written to since holds records that the second set may lack. It becomes a
//   source instead of going aside, so its other records may be delivered twice.
// - A log in the way of one that is moved out is treated like a log of the first set.
// - To go aside means to be renamed to `~old-<n>`, which is deleted once the second set is durably in place.
// - With `known: false`, or without a layout, the number of partitions was assumed. The logs then become sources,
//   `<topic>~gone-<k>`, unless one of them was ever sent from: then Kafka had reported the number, and all logs are
//   placed for it.
import { lstat, mkdir, readdir, readFile, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, withFile } from '../disk/durable-file.ts';
import { FOLDER_MODE } from '../disk/owner-only.ts';
import type { BatchHeader } from './batch-header.ts';
import { readCursor } from './cursor.ts';
import { type FoundFormat, readFormat, refuseNewerFormats, writeFormat } from './format.ts';
import { writeLayout } from './layout.ts';
import { type LogName, layoutName, logName, logsIn, planName } from './names.ts';
import { narrowModes } from './narrow-modes.ts';
import { unlessMissing } from './read-errors.ts';
import type { SpoolRemark } from './remark.ts';
import { scanSegment } from './segment-scan.ts';

export interface SpoolUpgrade {
  readonly found: FoundFormat;
  /** Messages about the upgrade's changes, for the log. */
  readonly remarks: readonly SpoolRemark[];
}

/** The state of a topic's layout. */
type Layout =
  /** Version 1 had the number from Kafka. */
  | { readonly kind: 'known'; readonly partitions: number }
  /** Version 1 assumed the number. */
  | { readonly kind: 'guessed' }
  /** The layout is of version 2. */
  | { readonly kind: 'settled' }
  /** The layout is missing or damaged. */
  | { readonly kind: 'missing' };

const SEGMENT = /^\d{20}\.log$/;
const OLD = /^~old-([1-9]\d{0,8})$/;
const DONE = 'done';
const OLD_REMOVED = 'old-removed';

/**
 * Call it under the lock, before anything else is opened in the directory. A directory of the newest version is checked
 * too, because a program of version 1 may have run there in between.
 * @throws SpoolFormatError if the directory or a part in it has a newer version, the system's error if a step fails
 */
export async function upgradeSpool(directory: string): Promise<SpoolUpgrade> {
  // Before anything is changed. It includes the dead letters of this part, and in SPOOL_DIR all parts.
  await refuseNewerFormats(directory);
  const found = await readFormat(directory);
  const upgrade = new Upgrade(directory);
  await upgrade.run(found);
  return { found, remarks: upgrade.remarks };
}

class Upgrade {
  readonly remarks: SpoolRemark[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async run(found: FoundFormat): Promise<void> {
    if (found === 'damaged')
      this.#warn('the file `format` is damaged: the spool is opened as one of the newest version');
    await this.#narrowModes();
    await this.#renameLogsOfProcess();
    for (const topic of await this.#topics()) {
      const isPlaced = await this.#finishRewriting(topic);
      if (!isPlaced) await this.#settleLayout(topic, found === 1);
    }
    // Before the file `format` is written, because this frees space for it.
    await this.#removeOld();
    if (found !== 2) await this.#writeFormat();
  }

  async #narrowModes(): Promise<void> {
    const wide = await narrowModes(this.#directory);
    if (wide !== null)
      this.#warn(
        `other users of this machine may be able to read ${wide.path}, and its mode cannot be changed (${wide.code}): set it to 0700`,
      );
  }

  /** Topics with a log or a file of version 1. */
  async #topics(): Promise<Set<string>> {
    const topics = new Set((await logsIn(this.#directory)).map(({ topic }) => topic));
    for (const name of await readdir(this.#directory)) {
      const topic = /^([A-Za-z0-9._-]+)\.(?:layout|placing)$/.exec(name)?.[1];
      if (topic !== undefined) topics.add(topic);
    }
    return topics;
  }

  // Version 1 named the logs of a topic `process` like the parts of processes.
  async #renameLogsOfProcess(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const number = numberIn(name, 'process');
      if (number === undefined || !(await isDirectory(join(this.#directory, name)))) continue;
      const from = join(this.#directory, name);
      const files = (await readdir(from)).filter((file) => file === 'cursor' || /^\d{20}\.log/.test(file));
      if (files.length === 0) continue;
      const to = join(this.#directory, logName({ topic: 'process', kind: 'partition', number }));
      await mkdir(to, { recursive: true, mode: FOLDER_MODE });
      await this.#sync();
      for (const file of files) await rename(join(from, file), join(to, file));
      await syncDirectory(to);
      await syncDirectory(from);
      // The folder stays if it is a part as well.
      await rmdir(from).catch(() => undefined);
    }
  }

  /** True if the second set replaced the first. It was written for the number of partitions from Kafka. */
  async #finishRewriting(topic: string): Promise<boolean> {
    const placing = this.#placing(topic);
    if (!(await isDirectory(placing))) return false;
    // Version 1 synced none of its renames. A power cut must not undo the names by which the next lines decide.
    await this.#sync();
    await syncDirectory(placing);
    const names = await readdir(placing);
    const inside = names.flatMap((name) => numberIn(name, topic) ?? []);
    const isDone = names.includes(DONE);
    const isRemoved = names.includes(OLD_REMOVED);
    const isWhole = isDone || isRemoved;
    if (!isWhole) {
      await this.#undoRewriting(topic, inside);
    } else {
      if (!isRemoved && inside.length > 0) await this.#removeFirstSet(topic);
      await this.#moveOut(topic, inside);
      // The layout has the number of partitions of the first set.
      await this.#unlink(layoutOf(topic));
      this.#info(`a rewriting of topic ${topic} that a crash had interrupted was completed; nothing is lost`);
    }
    await this.#putAside(placing);
    return isWhole;
  }

  async #undoRewriting(topic: string, numbers: readonly number[]): Promise<void> {
    const inside: string[] = [];
    for (const number of numbers) {
      const path = join(this.#placing(topic), `${topic}-${number}`);
      if (await hasSegments(path)) inside.push(path);
    }
    if (inside.length === 0) return;
    const outside = await this.#withSegments(await this.#partitionsOf(topic));
    const beginMs = await this.#beginOf(topic);
    const areYounger = await Promise.all(outside.map((log) => wasWrittenAfter(this.#path(log), beginMs)));
    if (areYounger.includes(false)) {
      this.#info(
        `a rewriting of topic ${topic} that a crash had interrupted was undone and is made again; nothing is lost`,
      );
      return;
    }
    // The sources that are made last count as the oldest records.
    for (const log of outside) await this.#makeSource(topic, this.#path(log));
    for (const path of inside) await this.#makeSource(topic, path);
    this.#warn(
      `an interrupted rewriting of topic ${topic} holds the only copy of its records: they are sent from there`,
    );
  }

  async #removeFirstSet(topic: string): Promise<void> {
    for (const log of await this.#partitionsOf(topic)) await this.#clear(topic, log);
    await withFile(join(this.#placing(topic), OLD_REMOVED), 'w', (marker) => marker.sync());
    await syncDirectory(this.#placing(topic));
  }

  async #moveOut(topic: string, inside: readonly number[]): Promise<void> {
    for (const number of inside) {
      const log: LogName = { topic, kind: 'partition', number };
      await this.#clear(topic, log);
      await rename(join(this.#placing(topic), `${topic}-${number}`), this.#path(log));
    }
    // The new names must be durable before the old ones are gone.
    await this.#sync();
    await syncDirectory(this.#placing(topic));
  }

  /** Moves a log of the first set out of the way. */
  async #clear(topic: string, log: LogName): Promise<void> {
    const path = this.#path(log);
    if (!(await isDirectory(path))) return;
    if (await wasWrittenAfter(path, await this.#beginOf(topic))) {
      await this.#makeSource(topic, path);
      this.#warn(
        `${logName(log)} was written to while it was being rewritten: all of it is kept, and some of its records may be delivered twice`,
      );
    } else await this.#putAside(path);
  }

  /** When the rewriting began. If the file system does not store that, no log counts as written afterwards. */
  async #beginOf(topic: string): Promise<number> {
    return (await stat(this.#placing(topic))).birthtimeMs || Infinity;
  }

  async #settleLayout(topic: string, isVersion1: boolean): Promise<void> {
    const layout = await this.#readLayout(topic);
    switch (layout.kind) {
      case 'settled':
        return;
      case 'known':
        return this.#writeLayout(topic, layout.partitions);
      case 'guessed':
        await this.#makeSources(topic);
        return this.#unlink(layoutOf(topic));
      case 'missing':
        if (isVersion1 && !(await this.#isUsed(topic))) await this.#makeSources(topic);
    }
  }

  async #readLayout(topic: string): Promise<Layout> {
    try {
      const text = await readFile(join(this.#directory, layoutOf(topic)), 'utf8');
      const { partitions, known } = JSON.parse(text) as { partitions?: unknown; known?: unknown };
      if (!Number.isSafeInteger(partitions)) return { kind: 'missing' };
      if (known === undefined) return { kind: 'settled' };
      return known === true ? { kind: 'known', partitions: Number(partitions) } : { kind: 'guessed' };
    } catch {
      return { kind: 'missing' };
    }
  }

  async #writeLayout(topic: string, partitions: number): Promise<void> {
    const name = layoutName(topic);
    // A full disk must not prevent the start. A layout of version 1 with the number serves as well.
    await writeLayout(join(this.#directory, name), partitions).then(
      () => (name === layoutOf(topic) ? undefined : this.#unlink(layoutOf(topic))),
      () => undefined,
    );
  }

  /** Version 2 has run here already, so a missing layout does not mean an assumed number. */
  async #isUsed(topic: string): Promise<boolean> {
    const logs = await this.#logsOf(topic);
    if (logs.some(({ kind }) => kind === 'unplaced')) return true;
    const plan = await lstat(join(this.#directory, planName(topic))).catch(() => undefined);
    return plan?.isFile() === true;
  }

  async #makeSources(topic: string): Promise<void> {
    const all = await this.#partitionsOf(topic);
    for (const log of all) if (await wasSentFrom(this.#path(log))) return;
    const logs = await this.#withSegments(all);
    for (const log of logs) await this.#makeSource(topic, this.#path(log));
    if (logs.length > 0)
      this.#info(
        `records of topic ${topic} were stored for an assumed number of partitions: they are placed again once Kafka has named it`,
      );
  }

  async #makeSource(topic: string, path: string): Promise<void> {
    const numbers = (await this.#logsOf(topic))
      .filter(({ kind }) => kind === 'gone')
      .map((log) => log.number);
    await rename(path, this.#path({ topic, kind: 'gone', number: Math.max(0, ...numbers) + 1 }));
    await this.#sync();
  }

  async #putAside(path: string): Promise<void> {
    const numbers = (await readdir(this.#directory)).map((name) => Number(OLD.exec(name)?.[1] ?? 0));
    await rename(path, join(this.#directory, `~old-${Math.max(0, ...numbers) + 1}`));
    await this.#sync();
  }

  async #removeOld(): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => OLD.test(name));
    for (const name of names) {
      // Nothing reads these folders. A later start deletes the folders that cannot be deleted now.
      await rm(join(this.#directory, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }

  async #writeFormat(): Promise<void> {
    try {
      await writeFormat(this.#directory);
    } catch (error) {
      // A full disk must not prevent the start. Without the file the next start upgrades again, which does not change
      // files of this version.
      const { code, message } = error as NodeJS.ErrnoException;
      this.#warn(`the file \`format\` cannot be written (${code ?? message}): the next start tries again`);
    }
  }

  async #unlink(name: string): Promise<void> {
    await unlessMissing(unlink(join(this.#directory, name)).then(() => this.#sync()));
  }

  async #logsOf(topic: string): Promise<LogName[]> {
    return (await logsIn(this.#directory)).filter((log) => log.topic === topic);
  }

  async #partitionsOf(topic: string): Promise<LogName[]> {
    return (await this.#logsOf(topic)).filter(({ kind }) => kind === 'partition');
  }

  async #withSegments(logs: readonly LogName[]): Promise<LogName[]> {
    const found = await Promise.all(logs.map((log) => hasSegments(this.#path(log))));
    return logs.filter((_, index) => found[index]);
  }

  #path(log: LogName): string {
    return join(this.#directory, logName(log));
  }

  #placing(topic: string): string {
    return join(this.#directory, `${topic}.placing`);
  }

  #sync(): Promise<void> {
    return syncDirectory(this.#directory);
  }

  #info(text: string): void {
    this.remarks.push({ level: 'info', text });
  }

  #warn(text: string): void {
    this.remarks.push({ level: 'warn', text });
  }
}

/** The name of a layout in version 1. */
function layoutOf(topic: string): string {
  return `${topic}.layout`;
}

/** The partition of a log with a name of version 1. */
function numberIn(name: string, topic: string): number | undefined {
  const digits = name.startsWith(`${topic}-`) ? name.slice(topic.length + 1) : '';
  return /^(?:0|[1-9]\d{0,5})$/.test(digits) ? Number(digits) : undefined;
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true;
}

async function segmentsIn(log: string): Promise<string[]> {
  const names = (await readdir(log)).filter((name) => SEGMENT.test(name));
  return names.sort().map((name) => join(log, name));
}

async function hasSegments(log: string): Promise<boolean> {
  return (await segmentsIn(log)).length > 0;
}

async function wasWrittenAfter(log: string, timeMs: number): Promise<boolean> {
  const times = await Promise.all((await segmentsIn(log)).map(async (path) => (await stat(path)).mtimeMs));
  return times.some((writtenMs) => writtenMs > timeMs);
}

/** Whether records of this log were sent to Kafka, from the log or before they were spooled. */
async function wasSentFrom(log: string): Promise<boolean> {
  const state = await readCursor(join(log, 'cursor')).catch(() => undefined);
  const isFresh =
    state === undefined ||
    (state.acknowledged === 0 && state.assignment === undefined && state.sendingEnd === undefined);
  if (!isFresh) return true;
  for (const path of await segmentsIn(log)) {
    const first = await firstBatch(path);
    // Batches that were in flight come first in a log, and they have a producer.
    if (first !== undefined) return first.baseOffset > 0 || first.producerId !== -1n;
  }
  return false;
}

async function firstBatch(path: string): Promise<BatchHeader | undefined> {
  try {
    for await (const found of scanSegment(path)) if (found.kind === 'batch') return found.header;
  } catch {
    // The disk failed to read it. Recovery deals with that.
  }
  return undefined;
}
