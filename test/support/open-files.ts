// The limit on open files of a process of a test.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

/** Sets the soft limit, so that it can be raised again. */
export function limitOpenFiles(pid: number, limit: number): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${limit}:`]);
}

export function lowestFreeDescriptor(pid: number): number {
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let free = 0;
  while (used.has(free)) free++;
  return free;
}
