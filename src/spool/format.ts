// Owns the file `format` of a spool directory, which has the version of its format: `{"version":2,"checksum":"..."}`.
//
// - A directory without the file has version 1, which wrote no such file.
// - The checksum is the CRC-32C of `sluice spool <version>` in 8 hex digits. Without it one flipped bit could turn
//   version 2 into 3, and the start would be refused.
// - A damaged file never stops a start. The directory is then opened as the newest known version, and the upgrade still
//   looks for files of version 1 (upgrade.ts). Only a newer spool whose file is damaged would be read by wrong rules.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from '../checksum/crc32c.ts';
import { EXIT_SETTINGS } from '../config/exit-codes.ts';
import { replaceFile } from '../disk/durable-file.ts';
import { deadLettersDirectory, partsIn } from './parts.ts';

/** The newest version that this program knows. It writes this version. */
export const FORMAT_VERSION = 2;

const FILE = 'format';

/** A version that this program knows, or a file that cannot be read. */
export type FoundFormat = 1 | 2 | 'damaged';

/** A newer program wrote this spool. */
export class SpoolFormatError extends Error {
  readonly code = 'SPOOL_FORMAT';
  /** sysexits.h EX_CONFIG: another start of this program on that directory would fail too. */
  readonly exitCode = EXIT_SETTINGS;
  readonly directory: string;
  readonly version: number;

  constructor(directory: string, version: number) {
    super(
      `the spool in ${directory} has format version ${version}, and this program knows versions up to ${FORMAT_VERSION}. Nothing was changed. Start the newer program again, or empty the spool with its \`sluice spool drain\``,
    );
    this.directory = directory;
    this.version = version;
  }
}

/** @throws SpoolFormatError if the version is newer than FORMAT_VERSION, the system's error without access */
export async function readFormat(directory: string): Promise<FoundFormat> {
  const version = versionIn(await contentOf(join(directory, FILE)));
  if (typeof version === 'number' && version > FORMAT_VERSION) throw new SpoolFormatError(directory, version);
  return version === 1 || version === 2 ? version : 'damaged';
}

/** Marks the directory, durably, as of the newest version. @throws the system's error; then the file is unchanged */
export async function writeFormat(directory: string): Promise<void> {
  const content = JSON.stringify({ version: FORMAT_VERSION, checksum: checksumOf(FORMAT_VERSION) });
  await replaceFile(join(directory, FILE), Buffer.from(`${content}\n`));
}

/**
 * Checks all parts of a spool and their dead letters without a lock, for commands that read while a gateway runs.
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
    // ENOTDIR: a file that is not ours has the name of a part.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    // A file that the disk cannot read is treated as damaged.
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
