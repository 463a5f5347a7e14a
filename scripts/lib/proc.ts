// Reads figures of another process from Linux's /proc, see proc(5), and stops it. A function throws if the process is gone,
// unless it says otherwise.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** USER_HZ, the unit of times in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Process ids of the children of a process, oldest first. */
export function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

/** All processes below a process, those above before those below. Any that ends meanwhile is left out. */
export function descendantsOf(pid: number): number[] {
  const found = [pid];
  for (const one of found) {
    try {
      found.push(...childrenOf(one));
    } catch {
      // It has ended.
    }
  }
  return found.slice(1);
}

/** User and system time of all threads since the start. It is in steps of 10 ms once a thread has ended that used more. */
export function cpuSecondsOf(pid: number): number {
  return Math.max(inTicks(pid), ofLivingThreads(pid));
}

function inTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may contain anything, so count from behind it: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function ofLivingThreads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
    } catch {
      return sum;
    }
  }, 0);
}

/** How long the main thread was ready to run and had no core, milliseconds since its start. */
export function waitedMsOf(pid: number): number {
  // Nanoseconds on a core, nanoseconds of waiting, number of time slices.
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
}

/** Resident memory, bytes. */
export function residentBytesOf(pid: number): number {
  return statusBytesOf(pid, 'VmRSS');
}

/** Resident memory without mapped files, which are mostly the code that processes of a program share. Bytes. */
export function unmappedBytesOf(pid: number): number {
  return statusBytesOf(pid, 'RssAnon') + statusBytesOf(pid, 'RssShmem');
}

function statusBytesOf(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}

/** A field of /proc/PID/status, such as `Name`. Empty if the process is gone. */
export function statusOf(pid: number, name: string): string {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  } catch {
    return '';
  }
}

/**
 * Sends SIGSTOP, and resolves when no thread of the process runs any more. The signal goes to one thread, which stops the
 * others once it gets a core. On a busy machine they work on for many milliseconds meanwhile, accept and answer.
 */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  if (!existsSync('/proc/self/task')) return;
  while (runsAny(pid)) await sleep(1);
}

/** A thread that is ending is no file any more, or a zombie. */
function runsAny(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).some((thread) => {
    try {
      return !/^State:\s+[TtZX]/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'));
    } catch {
      return false;
    }
  });
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
