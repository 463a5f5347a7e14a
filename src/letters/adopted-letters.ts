// Owns the folder `adopted` of the outbox: logs of letters that have no topic (KAFKA_TOPIC_DEAD_LETTERS is empty), moved
// here from the parts of stopped gateways by one rename each. Nobody adds to them. Which of their letters were sent is
// remembered as for a topic, under the log's own name, which is never used again. A log without unsent letters is deleted.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { syncDirectory } from '../disk/durable-file.ts';
import { makeFolder } from '../disk/owner-only.ts';
import type { PipelineContext } from '../kafka/pipelines/pipeline.ts';
import { readCursor } from '../spool/cursor.ts';
import { type LogPlace, listLogs, readUnacknowledged } from '../spool/inspect.ts';
import { lockSpool } from '../spool/lock.ts';
import { DEAD_LETTERS_NAME, deadLettersDirectory, partsIn } from '../spool/parts.ts';
import { unlessMissing } from '../spool/read-errors.ts';
import { Spool } from '../spool/spool.ts';
import type { Letter, LetterPlace } from './letter.ts';
import { outboxDirectory, outboxOptions } from './outbox-place.ts';
import type { LetterLog, SentLetters } from './sent-letters.ts';

const ADOPTED = 'adopted';

/** The logs in the folder, as listLogs() names those of the spool. */
export async function adoptedLogs(root: string): Promise<LogPlace[]> {
  const folder = join(outboxDirectory(root), ADOPTED);
  const names = (await unlessMissing(readdir(folder))) ?? [];
  return names.sort().map((name) => ({
    process: 0,
    kind: 'dead letters',
    topic: DEAD_LETTERS_NAME,
    log: 'partition',
    number: 0,
    directory: join(folder, name),
  }));
}

/** The name under which sent letters of an adopted log are remembered. Undefined for letters elsewhere. */
export function adoptedLogOf(place: LetterPlace): LetterLog | undefined {
  if (place.kind !== 'disk') return undefined;
  const folder = dirname(place.log);
  if (basename(folder) !== ADOPTED) return undefined;
  return { cluster: ADOPTED, topic: basename(place.log), partition: 0 };
}

export function isAdoptedSent(sent: SentLetters, { place }: Letter): boolean {
  const log = adoptedLogOf(place);
  return log !== undefined && sent.has(log, place.offset);
}

/**
 * Moves the letters of all parts here. Logs with letters that were perhaps sent to a topic before are left alone.
 * @returns how many logs stay
 * @throws SpoolLockedError if a gateway runs
 */
export async function adoptLetters(context: PipelineContext): Promise<number> {
  const root = context.settings.SPOOL_DIR;
  const folder = join(outboxDirectory(root), ADOPTED);
  makeFolder(folder);
  let staying = 0;
  for (const part of [root, ...partsIn(root).map(({ directory }) => directory)]) {
    const letters = deadLettersDirectory(part);
    if (!existsSync(letters)) continue;
    const lock = lockSpool(part);
    try {
      // Repairs the logs, and brings an older format up to date.
      const { spool } = await Spool.open({ ...outboxOptions(context), directory: letters });
      await spool.close();
      for (const place of await lettersLogs(part)) {
        if (await isPerhapsSent(place)) staying++;
        else await rename(place.directory, join(folder, randomBytes(8).toString('hex')));
      }
      await syncDirectory(letters);
      await syncDirectory(folder);
    } finally {
      lock.release();
    }
  }
  return staying;
}

/** Deletes the adopted logs whose letters were all sent. */
export async function removeSent(root: string, sent: SentLetters): Promise<void> {
  for (const place of await adoptedLogs(root)) {
    const log = adoptedLogOf({ kind: 'disk', log: relative(root, place.directory), offset: 0 });
    if (log === undefined || !(await isAllSent(place, (offset) => sent.has(log, offset)))) continue;
    await rm(place.directory, { recursive: true, force: true });
    await syncDirectory(dirname(place.directory));
    sent.dropBelow(log, Infinity);
    await sent.write();
  }
}

async function lettersLogs(part: string): Promise<LogPlace[]> {
  const inside = deadLettersDirectory(part);
  return (await listLogs(part)).filter(
    ({ kind, directory }) => kind === 'dead letters' && dirname(directory) === inside,
  );
}

/** A batch that was being sent, or that was stamped for sending, may be in the topic of that time. */
async function isPerhapsSent(place: LogPlace): Promise<boolean> {
  const cursor = await readCursor(join(place.directory, 'cursor'));
  if (cursor?.assignment !== undefined || cursor?.sendingEnd !== undefined) return true;
  for await (const { found } of readUnacknowledged(place))
    if (found.kind === 'batch' && found.header.producerId >= 0n) return true;
  return false;
}

async function isAllSent(place: LogPlace, isSent: (offset: number) => boolean): Promise<boolean> {
  for await (const { found, from } of readUnacknowledged(place)) {
    if (found.kind !== 'batch') continue;
    const { baseOffset, count } = found.header;
    for (let offset = Math.max(baseOffset, from); offset < baseOffset + count; offset++)
      if (!isSent(offset)) return false;
  }
  return true;
}
