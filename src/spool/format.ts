// The version of a spool directory's format, in the file `format`: `{"version":2,"checksum":"..."}`.
//
// - A directory without the file has version 1: every spool before there was one.
// - The checksum (CRC-32C of `sluice spool <version>`, 8 hex digits) is there so that one flipped bit does not turn
//   version 2 into 3 and refuse a start.
// - A damaged file says nothing. The directory is then opened as one of the newest known version, with the upgrade's
//   checks for what version 1 may have left (upgrade.ts), because a start is never refused because of damage. Only a
//   spool of a newer version whose file is damaged as well would be read by the wrong rules.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from './crc32c.ts';
import { replaceFile } from './durable-file.ts';
import { deadLettersDirectory, partsIn } from './parts.ts';

/** The newest version that this program knows, and the one that it writes. */
export const FORMAT_VERSION = 2;

const FILE = 'format';

/** What the file says: a version this program knows, or that it cannot be made out. */
export type FoundFormat = 1 | 2 | 'damaged';

/** A newer program has written this spool. */
export class SpoolFormatError extends Error {
  readonly code = 'SPOOL_FORMAT';
  /** sysexits.h EX_CONFIG: this program on that directory; starting it again is useless. */
  readonly exitCode = 78;
  readonly directory: string;
  readonly version: number;

  constructor(directory: string, version: number) {
    super(
      `the spool in ${directory} has format version ${version}, and this program knows versions up to ${FORMAT_VERSION}: nothing was changed there; start the newer program again, or empty the spool with its \`sluice spool drain\``,
    );
    this.directory = directory;
    this.version = version;
  }
}

/** @throws SpoolFormatError if the version is newer than the newest known one, the system's error without access */
export async function readFormat(directory: string): Promise<FoundFormat> {
  const version = versionIn(await contentOf(join(directory, FILE)));
  if (typeof version === 'number' && version > FORMAT_VERSION) throw new SpoolFormatError(directory, version);
  return version === 1 || version === 2 ? version : 'damaged';
}

/**
 * Says, durably, that the directory has the newest version.
 * @throws the system's error; then the file is as it was
 */
export async function writeFormat(directory: string): Promise<void> {
  const content = JSON.stringify({ version: FORMAT_VERSION, checksum: checksumOf(FORMAT_VERSION) });
  await replaceFile(join(directory, FILE), Buffer.from(`${content}\n`));
}

/**
 * Looks at all parts of a spool and their dead letters, without a lock, for commands that read beside a gateway.
 * @throws SpoolFormatError if one of them has a newer version
 */
export async function refuseNewerFormats(root: string): Promise<void> {
  for (const part of [root, ...partsIn(root).map(({ directory }) => directory)]) {
    for (const directory of [part, deadLettersDirectory(part)]) await readFormat(directory);
  }
}

async function contentOf(path: string): Promise<string | null | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENOTDIR: a foreign file has the name of a part.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    // The disk does not give it back: the same as if it gave something else.
    if (code === 'EIO') return null;
    throw error;
  }
}

function versionIn(content: string | null | undefined): number | undefined {
  if (content === undefined) return 1;
  try {
    const { version, checksum } = JSON.parse(content ?? '') as { version?: unknown; checksum?: unknown };
    if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) return undefined;
    return checksum === undefined || checksum === checksumOf(version) ? version : undefined;
  } catch {
    return undefined;
  }
}

function checksumOf(version: number): string {
  return crc32c(Buffer.from(`sluice spool ${version}`))
    .toString(16)
    .padStart(8, '0');
}
