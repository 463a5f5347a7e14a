// A process that tests trace, kill and take the disk away from. `append` adds batches `0`, `1`, ... to a log one
// after the other and says `stored <id>` for each that is durable; `group` does so through a PartitionSpool;
// `recover` opens a log and says what that took; `lock` takes the lock and waits.
import { writeSync } from 'node:fs';
import { lockSpool, type SpoolLockedError } from '../../src/spool/lock.ts';
import { PartitionSpool } from '../../src/spool/partition-spool.ts';
import { SpoolLog } from '../../src/spool/spool-log.ts';
import { makeBatch } from './support.ts';

const [job, directory = '', count = '0', recordBytes = '0'] = process.argv.slice(2);

// Straight to the descriptor, so that a trace shows it where it happens.
const say = (line: string): void => void writeSync(1, `${line}\n`);

if (job === 'lock') {
  try {
    lockSpool(directory);
    say('locked');
    process.stdin.resume();
  } catch (error) {
    say(`refused ${(error as SpoolLockedError).code}`);
    process.exitCode = (error as SpoolLockedError).exitCode;
  }
} else {
  const before = { at: performance.now(), rss: process.resourceUsage().maxRSS };
  const { log, recovered } = await SpoolLog.open({
    directory,
    segmentBytes: 2 ** 20,
    sync: 'batch',
    reserve: () => true,
    claim: () => undefined,
    release: () => undefined,
  });
  say(`open ${process.pid}`);
  if (job === 'recover') {
    const ms = performance.now() - before.at;
    const rssKiB = process.resourceUsage().maxRSS - before.rss;
    say(`recovered ${JSON.stringify({ ...recovered, ms, rssKiB })}`);
  } else if (job === 'group') {
    await group(log);
  } else {
    await appendAll(log);
  }
  await log.close();
  say('closed');
}

async function appendAll(log: SpoolLog): Promise<void> {
  for (let id = 0; id < Number(count); id++) {
    const batch = await makeBatch(pad(id), 3, Number(recordBytes));
    for (;;) {
      try {
        await log.append([batch]);
        say(`stored ${id}`);
        break;
      } catch (error) {
        say(`refused ${id} ${(error as NodeJS.ErrnoException).code}`);
      }
    }
  }
}

async function group(log: SpoolLog): Promise<void> {
  const batches: { id: number; bytes: Buffer }[] = [];
  for (let id = 0; id < Number(count); id++) batches.push({ id, bytes: await makeBatch(pad(id), 3) });
  await new Promise<void>((resolve) => {
    const durable = (some: readonly { id: number }[]) => {
      for (const { id } of some) say(`stored ${id}`);
      if (some.at(-1)?.id === Number(count) - 1) resolve();
    };
    const trouble = (reason: string | null) => say(`trouble ${reason}`);
    const spool = new PartitionSpool<{ id: number; bytes: Buffer }>(
      log,
      { durable, trouble },
      new AbortController().signal,
    );
    const addSome = () => {
      for (const batch of batches.splice(0, 50)) spool.add(batch);
      if (batches.length > 0) setImmediate(addSome);
    };
    addSome();
  });
}

/** So that all batches are of one size. */
function pad(id: number): string {
  return String(id).padStart(6, '0');
}
