// A child process for tests that trace it, kill it or take its disk away.
// - `append`: adds batches `0`, `1`, ... to a log and prints `stored <id>` for each durable one
// - `group`: the same through a PartitionSpool
// - `recover`: opens a log and prints the cost
// - `lock`: takes the lock and waits, or prints `refused <code> <message>`
// - `write`: opens a directory again and again and writes a file there for a moment, until its input ends
// - `remove`: deletes the directory whenever it can, until its input ends. Both print `done <count>` after so many times
// - `drain`: opens a log, waits for a line of input, and reads to the end; failed reads are tried again
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { lockSpool, SpoolLockedError } from '../../src/spool/lock.ts';
import { type DiskTrouble, PartitionSpool } from '../../src/spool/partition-spool.ts';
import { SpoolCap } from '../../src/spool/spool-cap.ts';
import { SpoolLog } from '../../src/spool/spool-log.ts';
import { idOf, makeBatch } from './support.ts';

const [job, directory = '', count = '0', recordBytes = '0'] = process.argv.slice(2);

// Synchronously, so that a trace shows it at the right place.
const say = (line: string): void => void writeSync(1, `${line}\n`);

if (job === 'lock') {
  try {
    lockSpool(directory);
    say('locked');
    process.stdin.resume();
  } catch (error) {
    const { code, exitCode, message } = error as SpoolLockedError;
    say(`refused ${code} ${message}`);
    process.exitCode = exitCode;
  }
} else if (job === 'write' || job === 'remove') {
  let done = 0;
  let isOver = false;
  process.stdin.resume().once('end', () => {
    isOver = true;
  });
  while (!isOver) {
    if (job === 'write') await writeOnce();
    else if (!(await removeOnce())) continue;
    done++;
    if (done === Number(count)) say(`done ${done}`);
  }
} else {
  const before = { at: performance.now(), rss: process.resourceUsage().maxRSS };
  const { log, recovered } = await SpoolLog.open({
    directory,
    segmentBytes: 2 ** 20,
    sync: 'batch',
    cap: new SpoolCap(Infinity),
    reading: {
      patience: { tries: 5, ms: 50 },
      unreadable: ({ from, to, reason }) => say(`unreadable ${from}-${to} ${reason}`),
    },
  });
  say(`open ${process.pid}`);
  if (job === 'recover') {
    const ms = performance.now() - before.at;
    const rssKiB = process.resourceUsage().maxRSS - before.rss;
    say(`recovered ${JSON.stringify({ ...recovered, ms, rssKiB })}`);
  } else if (job === 'drain') {
    await once(process.stdin.resume(), 'data');
    await drainAll(log);
    process.stdin.pause();
  } else if (job === 'group') {
    await group(log);
  } else {
    await appendAll(log);
  }
  await log.close();
  say('closed');
}

async function lockedAlone(): Promise<ReturnType<typeof lockSpool>> {
  for (;;) {
    try {
      return lockSpool(directory);
    } catch (error) {
      if (!(error instanceof SpoolLockedError)) throw error;
    }
    await nextTurn();
  }
}

// The file must stay until this process deletes it, and nobody else may use the directory meanwhile.
async function writeOnce(): Promise<void> {
  const lock = await lockedAlone();
  const path = join(directory, 'a-0', '00000000000000000000.log');
  mkdirSync(join(directory, 'a-0'), { recursive: true });
  closeSync(openSync(path, 'wx'));
  await asTheOnlyOne();
  if (!existsSync(path)) throw new Error('the directory was deleted under its lock');
  rmSync(path);
  lock.release();
}

async function removeOnce(): Promise<boolean> {
  const lock = await lockedAlone();
  await asTheOnlyOne();
  const isRemoved = await lock.removeDirectory();
  if (!isRemoved) lock.release();
  await nextTurn();
  return isRemoved;
}

/** @throws if another process believes the same at this moment */
async function asTheOnlyOne(): Promise<void> {
  const busy = `${directory}.busy`;
  closeSync(openSync(busy, 'wx'));
  for (let turns = 0; turns < 3; turns++) await nextTurn();
  rmSync(busy);
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

async function drainAll(log: SpoolLog): Promise<void> {
  for (;;) {
    try {
      const batch = await log.next();
      if (batch === undefined) break;
      say(`read ${Number(idOf(batch.bytes))}`);
      await log.acknowledge(batch.offset + batch.count);
    } catch (error) {
      say(`failed ${(error as NodeJS.ErrnoException).code}`);
      await pause(20);
    }
  }
  say(`lost ${log.badBatches} ${log.badRecords}`);
}

async function group(log: SpoolLog): Promise<void> {
  const batches: { id: number; bytes: Buffer }[] = [];
  for (let id = 0; id < Number(count); id++) batches.push({ id, bytes: await makeBatch(pad(id), 3) });
  await new Promise<void>((resolve) => {
    const durable = (some: readonly { id: number }[]) => {
      for (const { id } of some) say(`stored ${id}`);
      if (some.at(-1)?.id === Number(count) - 1) resolve();
    };
    const trouble = (trouble: DiskTrouble | null) => say(`trouble ${trouble?.reason ?? null}`);
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

/** Fixed width, so that all batches have the same size. */
function pad(id: number): string {
  return String(id).padStart(6, '0');
}
