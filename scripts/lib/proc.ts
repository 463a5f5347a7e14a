// Reads figures of another process from Linux's /proc, see proc(5). Every function throws if the process is gone.
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, the unit of times in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Process ids of the children of a process, oldest first. */
export function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

/** User and system time of all threads since the start, in steps of 10 ms. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may contain anything, so count from behind it: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
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

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
