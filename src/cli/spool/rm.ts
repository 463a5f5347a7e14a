// `sluice spool rm`: deletes the files `*.bad` with damaged bytes that were set aside. It never deletes a segment: the
// gateway does that once Kafka has acknowledged the records.
import { unlink } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { EXIT_USAGE } from '../../config/exit-codes.ts';
import { listLogs, listSetAside, type SetAside } from '../../spool/inspect.ts';
import { lockSpool, type SpoolLock } from '../../spool/lock.ts';
import { partsIn } from '../../spool/parts.ts';
import { say } from '../output.ts';
import { bytesText } from './cells.ts';
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
  if (!yes) {
    if (!process.stdin.isTTY) {
      say('nothing was removed: there is no terminal to ask on. Use --yes');
      return EXIT_USAGE;
    }
    if (!(await confirm(`Remove ${what}? [y/N] `))) {
      process.stdout.write('nothing was removed\n');
      return 0;
    }
  }
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

async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    // Ctrl-C and Ctrl-D mean no.
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    const answer = await Promise.race([terminal.question(question), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
