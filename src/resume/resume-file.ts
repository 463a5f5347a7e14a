// The table of a gateway that is stopped: the file `resume` in SPOOL_DIR. An orderly stop writes it, the next start reads
// and deletes it before a port opens. So after a crash nothing stale is believed.
//
// The first line is `sluice-resume 2 <entries> <CRC-32C of the rest, eight hex digits>`. Each further line is
// `<device_id> <seq>`, and the last to be forgotten stands last. Any other content counts as no file.
//
// The first line is the note in the file `lock` too. Version 0.1.0 neither reads nor deletes `resume`, but it overwrites the
// note. Without the note, after a rollback and another upgrade, a device that began a new count in between would be told a seq
// of its former count, and would drop messages that nobody has stored. Commits before November 29, 2026 wrote
// `sluice-resume 1` and no note. Their files still count, so that the first upgrade from there forgets no device.
import { constants } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '../checksum/crc32c.ts';
import { replaceFile, syncDirectory, withFile } from '../disk/durable-file.ts';
import { isDeviceId } from '../protocol/messages.ts';
import { lockSpool, readLockNote, SpoolLockedError } from '../spool/lock.ts';

type Entry = readonly [deviceId: string, storedSeq: number];

/** The outcome for a start. */
export type ReadResume =
  | { readonly state: 'none' }
  | { readonly state: 'read'; readonly entries: readonly Entry[] }
  /** Nothing of it is believed. */
  | { readonly state: 'unusable'; readonly reason: string };

/** A fifo would block the start, and a link may lead anywhere. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NAME = 'resume';
const HEAD = /^sluice-resume ([12]) (0|[1-9]\d{0,8}) ([0-9a-f]{8})$/;
const MAX_HEAD_BYTES = 64;
/** A device_id, a space, a seq and a line feed. */
const MAX_ENTRY_BYTES = 64 + 1 + 16 + 1;
/** A file may have been written with larger limits than those of now. */
const SPARE = 4;

export function resumeFile(directory: string): string {
  return join(directory, NAME);
}

/** Reads the file and deletes it durably. The lock of the directory has to be held. Never rejects. */
export async function takeResumeFile(directory: string, maxEntries: number): Promise<ReadResume> {
  const path = resumeFile(directory);
  const found = await read(directory, maxEntries);
  if (found.state === 'none') return found;
  try {
    await unlink(path);
    await syncDirectory(directory);
  } catch (error) {
    return unusable(`it cannot be deleted (${(error as Error).message})`);
  }
  return found;
}

/**
 * Replaces the file, under the lock of the directory. False, and nothing is written, if another gateway has the lock by
 * now: it has begun already.
 * @throws the system's error; then no file is left that counts
 */
export async function writeResumeFile(directory: string, entries: Iterable<Entry>): Promise<boolean> {
  const lines = [...entries].map(([deviceId, seq]) => `${deviceId} ${seq}\n`);
  if (lines.length === 0) return true;
  const body = Buffer.from(lines.join(''));
  const head = `sluice-resume 2 ${lines.length} ${crcOf(body)}`;
  try {
    const lock = lockSpool(directory);
    try {
      await replaceFile(resumeFile(directory), Buffer.concat([Buffer.from(`${head}\n`), body]));
      lock.leaveNote(head);
    } finally {
      lock.release();
    }
    return true;
  } catch (error) {
    if (error instanceof SpoolLockedError) return false;
    throw error;
  }
}

async function read(directory: string, maxEntries: number): Promise<ReadResume> {
  try {
    const path = resumeFile(directory);
    return await withFile(path, READ, async (file) => {
      const { size } = await file.stat();
      if (size > MAX_HEAD_BYTES + SPARE * maxEntries * MAX_ENTRY_BYTES) return unusable('it is too large');
      return parse(await file.readFile(), { maxEntries, note: readLockNote(directory) });
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { state: 'none' } : unusable(message);
  }
}

function parse(
  content: Buffer,
  { maxEntries, note }: { maxEntries: number; note: string | undefined },
): ReadResume {
  const headEnd = content.subarray(0, MAX_HEAD_BYTES).indexOf('\n');
  const head = HEAD.exec(content.toString('latin1', 0, Math.max(0, headEnd)));
  if (head === null) return unusable('its first line is not that of this version');
  const [line, version, entryCount, checksum] = head;
  if (version === '2' && line !== note)
    return unusable('another version of the gateway has used the spool since');
  const body = content.subarray(headEnd + 1);
  const count = Number(entryCount);
  if (crcOf(body) !== checksum) return unusable('its checksum is wrong');
  const entries = body
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .map((line): Entry => {
      const [deviceId = '', seq = ''] = line.split(' ');
      return [deviceId, /^\d{1,16}$/.test(seq) ? Number(seq) : Number.NaN];
    });
  const areGood = entries.every(([deviceId, seq]) => isDeviceId(deviceId) && Number.isSafeInteger(seq));
  if (count !== entries.length || !areGood) return unusable('its entries are not valid');
  return { state: 'read', entries: entries.slice(-maxEntries) };
}

const unusable = (reason: string): ReadResume => ({ state: 'unusable', reason });

const crcOf = (bytes: Buffer): string => crc32c(bytes).toString(16).padStart(8, '0');
