// Brings what version 1 left in a spool directory to the newest version, at the start, under the lock. Each step can be
// repeated after a crash at any point, and none removes the only copy of a record.
//
// Version 1 has per topic: the logs `<topic>-<p>`; `<topic>.layout`, `{"partitions":n,"known":b}`; and, while the logs
// were rewritten for another number of partitions, `<topic>.placing/` with a second set of logs and the empty marker
// files `done` (the second set is whole and synced) and `old-removed` (the first set is gone). It wrote the second set,
// then `done`, removed the first set, wrote `old-removed`, moved the second set out, and removed the folder, markers in
// any order. What its crash, or a failing call, leaves:
//
// | `done` | `old-removed` | logs inside | what it is                        | what is done                              |
// |--------|---------------|-------------|-----------------------------------|-------------------------------------------|
// | no     | no            | any         | the second set is unfinished      | the folder goes away                      |
// | no     | no            | yes         | the same, but no log outside is   | all of them become sources: the logs      |
// |        |               |             | older: a swap had failed, and was | inside are the only copy                  |
// |        |               |             | being begun again                 |                                           |
// | yes    | no            | yes         | the first set is being removed    | the rest of it goes aside, `old-removed`  |
// |        |               |             |                                   | is written, then as in the next row       |
// | any    | yes           | yes         | the second set is being moved out | the logs inside are moved out             |
// | any    | yes           | no          | the swap was complete             | the folder goes away                      |
// | yes    | no            | no          | the same, half of it is removed   | the folder goes away                      |
//
// - A log is older if nothing was written to it since the folder was made: then it is of the first set, and whole. One
//   of the first set that was written to since holds records that the second set may lack: it becomes a source instead
//   of going aside, so its other records may be delivered twice.
// - A log in the way of one that is moved out is treated like a log of the first set.
// - What goes aside is renamed to `~old-<n>` and is deleted only after the second set is in place, durably.
// - `known: false`, or no layout: the logs were filled by a guess, and become sources, `<topic>~gone-<k>`. Unless one of
//   them was ever sent from: then Kafka had named the number, and all of them were placed for it.
import { lstat, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchHeader } from './batch-header.ts';
import { readCursor } from './cursor.ts';
import { type FoundFormat, readFormat, refuseNewerFormats, writeFormat } from './format.ts';
import { writeLayout } from './layout.ts';
import { type LogName, layoutName, logName, logsIn, planName } from './names.ts';
import { FILE_MODE, FOLDER_MODE, narrowModes } from './owner-only.ts';
import type { SpoolRemark } from './remark.ts';
import { scanSegment } from './segment-scan.ts';
import { syncDirectory } from './sync-directory.ts';

export interface SpoolUpgrade {
  readonly found: FoundFormat;
  /** What was done, for the log. */
  readonly remarks: readonly SpoolRemark[];
}

/** What a topic's layout says. */
type Layout =
  /** Kafka had named the number. */
  | { readonly kind: 'known'; readonly partitions: number }
  /** The number was only assumed. */
  | { readonly kind: 'guessed' }
  /** It is one of version 2. */
  | { readonly kind: 'settled' }
  /** There is none, or it is damaged. */
  | { readonly kind: 'missing' };

const SEGMENT = /^\d{20}\.log$/;
const OLD = /^~old-([1-9]\d{0,8})$/;
const DONE = 'done';
const OLD_REMOVED = 'old-removed';

/**
 * Call it under the lock, before anything else is opened there. On a directory of the newest version it only looks,
 * because a program of version 1 may have been started again in between.
 * @throws SpoolFormatError if the directory or a part in it has a newer version, the system's error if a step fails
 */
export async function upgradeSpool(directory: string): Promise<SpoolUpgrade> {
  // Before anything is changed: it concerns the dead letters of this part as well, and in SPOOL_DIR all parts.
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
    // First, because it makes room for the file.
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

  /** All that version 1 left something of. */
  async #topics(): Promise<Set<string>> {
    const topics = new Set((await logsIn(this.#directory)).map(({ topic }) => topic));
    for (const name of await readdir(this.#directory)) {
      const topic = /^([A-Za-z0-9._-]+)\.(?:layout|placing)$/.exec(name)?.[1];
      if (topic !== undefined) topics.add(topic);
    }
    return topics;
  }

  // Version 1 called the logs of a topic `process` like the parts of other processes.
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
      // It stays if it is a part as well.
      await rmdir(from).catch(() => undefined);
    }
  }

  /** True if a second set took the place of the first: it was written for the number that Kafka named. */
  async #finishRewriting(topic: string): Promise<boolean> {
    const placing = this.#placing(topic);
    if (!(await isDirectory(placing))) return false;
    // The old program synced none of its renames: what is decided by must not be taken back by a power cut.
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
      // It names the number of partitions that the first set was for.
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
    // Later ones count as older records.
    for (const log of outside) await this.#makeSource(topic, this.#path(log));
    for (const path of inside) await this.#makeSource(topic, path);
    this.#warn(
      `an interrupted rewriting of topic ${topic} holds the only copy of its records: they are sent from there`,
    );
  }

  async #removeFirstSet(topic: string): Promise<void> {
    for (const log of await this.#partitionsOf(topic)) await this.#clear(topic, log);
    const marker = await open(join(this.#placing(topic), OLD_REMOVED), 'w', FILE_MODE);
    try {
      await marker.sync();
    } finally {
      await marker.close();
    }
    await syncDirectory(this.#placing(topic));
  }

  async #moveOut(topic: string, inside: readonly number[]): Promise<void> {
    for (const number of inside) {
      const log: LogName = { topic, kind: 'partition', number };
      await this.#clear(topic, log);
      await rename(join(this.#placing(topic), `${topic}-${number}`), this.#path(log));
    }
    // The new names before the loss of the old ones.
    await this.#sync();
    await syncDirectory(this.#placing(topic));
  }

  /** Gets a log of the first set out of the way. */
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

  /** When the rewriting began. On a file system that does not know it, no log counts as written afterwards. */
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
    // A full disk must not keep the gateway from starting; a layout of version 1 that names the number is as good.
    await writeLayout(join(this.#directory, name), partitions).then(
      () => (name === layoutOf(topic) ? undefined : this.#unlink(layoutOf(topic))),
      () => undefined,
    );
  }

  /** Something of version 2 is there already, so a missing layout says nothing. */
  async #isUsed(topic: string): Promise<boolean> {
    const logs = await this.#logsOf(topic);
    return logs.some(({ kind }) => kind === 'unplaced') || (await this.#isFile(planName(topic)));
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
      // What cannot be deleted now is deleted by a later start, and nothing reads it.
      await rm(join(this.#directory, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }

  async #writeFormat(): Promise<void> {
    try {
      await writeFormat(this.#directory);
    } catch (error) {
      // A full disk must not keep the gateway from starting. Without the file the next start upgrades again, which
      // changes nothing in what this version has written.
      const { code, message } = error as NodeJS.ErrnoException;
      this.#warn(`the file \`format\` cannot be written (${code ?? message}): the next start tries again`);
    }
  }

  async #unlink(name: string): Promise<void> {
    try {
      await unlink(join(this.#directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    await this.#sync();
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

  async #isFile(name: string): Promise<boolean> {
    return lstat(join(this.#directory, name)).then(
      (found) => found.isFile(),
      () => false,
    );
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

/** What version 1 called it. */
function layoutOf(topic: string): string {
  return `${topic}.layout`;
}

/** The partition of a log that version 1 named. */
function numberIn(name: string, topic: string): number | undefined {
  const digits = name.startsWith(`${topic}-`) ? name.slice(topic.length + 1) : '';
  return /^(?:0|[1-9]\d{0,5})$/.test(digits) ? Number(digits) : undefined;
}

function isDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
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

/** Kafka has been sent records of this log, or of the batches in it before they came to the disk. */
async function wasSentFrom(log: string): Promise<boolean> {
  const state = await readCursor(join(log, 'cursor')).catch(() => undefined);
  const isFresh =
    state === undefined ||
    (state.acknowledged === 0 && state.assignment === undefined && state.sendingEnd === undefined);
  if (!isFresh) return true;
  for (const path of await segmentsIn(log)) {
    const first = await firstBatch(path);
    // Batches that were in flight are written first.
    if (first !== undefined) return first.baseOffset > 0 || first.producerId !== -1n;
  }
  return false;
}

async function firstBatch(path: string): Promise<BatchHeader | undefined> {
  try {
    for await (const found of scanSegment(path)) if (found.kind === 'batch') return found.header;
  } catch {
    // The disk does not give it back: recovery sees to that.
  }
  return undefined;
}
