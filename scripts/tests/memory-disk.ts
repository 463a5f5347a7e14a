// Puts the temporary files of a test run into memory, and removes them when the run ends, however it ends.
// The tests sync and delete so many small files that a disk is most of their time: 27 s of CPU became 8 s in
// test/kafka/delivery/unplaced.slow.test.ts. What they prove about fsync they prove by its calls, not by a power cut.
import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { onParentDeath } from '../kafka/process.ts';

/** Memory as a file system, on Linux. */
const MEMORY = '/dev/shm';
/** The brokers' logs are there too. Containers often have 64 MiB, which is too little. */
const MIN_FREE_BYTES = 4 * 2 ** 30;

/** Points TMPDIR of this process and its children to memory. Returns the way to undo it. */
export function useMemoryDisk(): () => void {
  if (!existsSync(MEMORY)) return () => {};
  const { bavail, bsize } = statfsSync(MEMORY);
  if (bavail * bsize < MIN_FREE_BYTES) return () => {};
  const former = process.env.TMPDIR;
  const directory = mkdtempSync(join(MEMORY, 'sluice-tests-'));
  // Some tests play another user.
  chmodSync(directory, 0o755);
  process.env.TMPDIR = directory;
  const callOff = onParentDeath(['rm', '-rf', directory]);
  return () => {
    if (former === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = former;
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    callOff();
  };
}
