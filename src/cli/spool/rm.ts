// `sluice spool rm`: deletes the files `*.bad` with damaged bytes that were set aside. It never deletes a segment: the
// gateway does that once Kafka has acknowledged the records.
import { unlink } from 'node:fs/promises';
import { bytesText } from '../../config/amounts.ts';
import { listLogs, listSetAside, type SetAside } from '../../spool/inspect.ts';
import { lockSpool, type SpoolLock } from '../../spool/lock.ts';
import { partsIn } from '../../spool/parts.ts';
import { confirm } from '../confirm.ts';
import type { RmOptions } from './command.ts';

export async function rm(directory: string, { yes }: RmOptions): Promise<number> {
  // The locks are not held while the question waits: a gateway must be able to start meanwhile.
  for (const lock of lockAll(directory)) lock.release();
  const files: SetAside[] = [];
  for (const place of await listLogs(directory)) files.push(...(await listSetAside(place)));
  if (files.length === 0) {
    process.stdout.write(`nothing was set aside in ${directory}\n`);
    return 0;
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const what = `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${bytesText(bytes)}`;
  for (const file of files) process.stdout.write(`${file.path}  ${bytesText(file.bytes)}\n`);
  const refusal = await confirm({ question: `Remove ${what}?`, unchanged: 'nothing was removed', yes });
  if (refusal !== undefined) return refusal;
  const locks = lockAll(directory);
  try {
    for (const file of files) await unlink(file.path);
  } finally {
    for (const lock of locks) lock.release();
  }
  process.stdout.write(`removed ${what}\n`);
  return 0;
}

function lockAll(directory: string): SpoolLock[] {
  return [directory, ...partsIn(directory).map((part) => part.directory)].map(lockSpool);
}
