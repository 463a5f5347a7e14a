// Memory of the processes of a program, from Linux's /proc, see proc(5).
import { readFileSync } from 'node:fs';
import { residentBytesOf } from '../../scripts/lib/proc.ts';

export interface Memory {
  /** Resident memory, summed over the processes: shared pages count in each. */
  readonly residentMiB: number;
  /** Shared pages count once: PSS, if nothing else on the machine ran the same files. */
  readonly sharedOnceMiB: number;
}

const MIB = 2 ** 20;

export function memoryOf(pids: readonly number[]): Memory {
  const resident = pids.reduce((sum, pid) => sum + residentBytesOf(pid), 0);
  const smaps = pids.map((pid) => readFileSync(`/proc/${pid}/smaps`, 'utf8'));
  return { residentMiB: resident / MIB, sharedOnceMiB: sharedOnceKb(smaps) / 1024 };
}

/**
 * Anonymous memory of all processes, and of each mapped part of a file the most that one process has of it.
 * @param smaps texts of /proc/PID/smaps
 */
export function sharedOnceKb(smaps: readonly string[]): number {
  let anonymousKb = 0;
  const files = new Map<string, number>();
  for (const text of smaps) {
    for (const mapping of text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
      const head = /^\S+ (\S+) (\S+) \S+ (\d+) *(.*)$/m.exec(mapping);
      if (head === null) continue;
      const [, mode = '', offset = '', inode = '0', path = ''] = head;
      const anonymous = fieldOf(mapping, 'Anonymous');
      anonymousKb += anonymous;
      const ofFile = fieldOf(mapping, 'Rss') - anonymous;
      const key = inode === '0' ? `${path}` : `${inode} ${offset} ${mode} ${path}`;
      files.set(key, Math.max(files.get(key) ?? 0, ofFile));
    }
  }
  return anonymousKb + [...files.values()].reduce((sum, kb) => sum + kb, 0);
}

const fieldOf = (mapping: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(mapping)?.[1] ?? 0);
