// Finds the process that listens on a TCP port, from Linux's /proc (proc(5)). It knows only processes that this user may
// look at, and is asked only after a start has failed.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { printable } from '../config/printable.ts';

const LISTEN = '0A';
const MAX_COMMAND = 80;
const SCRIPT = /^[^-].*\.(?:[cm]?[jt]s|py|rb|sh|jar)$/;

export interface Holder {
  readonly pid: number;
  /** `pid 123 (node main.js)` */
  readonly text: string;
}

/** Undefined if it cannot be found. Of several processes that share the port, their parent. */
export function portHolder(port: number): Holder | undefined {
  const sockets = new Set(['tcp', 'tcp6'].flatMap((table) => listeningInodes(table, port)));
  if (sockets.size === 0) return undefined;
  const holders = processes().filter((pid) => socketsOf(pid).some((inode) => sockets.has(inode)));
  const pid = holders.find((one) => !holders.includes(parentOf(one))) ?? holders[0];
  return pid === undefined ? undefined : { pid, text: `pid ${pid} (${commandOf(pid)})` };
}

function listeningInodes(table: string, port: number): string[] {
  return lines(`/proc/net/${table}`).flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    return state === LISTEN && Number.parseInt(local.split(':')[1] ?? '', 16) === port ? [inode] : [];
  });
}

function processes(): number[] {
  return orNothing(() => readdirSync('/proc')).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

function socketsOf(pid: number): string[] {
  const descriptors = orNothing(() => readdirSync(`/proc/${pid}/fd`));
  return descriptors.flatMap((fd) =>
    orNothing(() => [/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '']),
  );
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(lines(`/proc/${pid}/status`).join('\n'))?.[1]);
}

/** The program, and its script if it is an interpreter. Other arguments may be secrets. */
function commandOf(pid: number): string {
  const [program = '', ...others] = lines(`/proc/${pid}/cmdline`).join('\n').split('\0');
  const script = others.find((argument) => SCRIPT.test(argument));
  const words = script === undefined ? [program] : [program, script];
  return printable(
    words
      .map((word) => basename(word))
      .join(' ')
      .slice(0, MAX_COMMAND),
  );
}

function lines(path: string): string[] {
  return orNothing(() => readFileSync(path, 'utf8').split('\n'));
}

/** A process may end at any moment, and belong to another user. */
function orNothing<T>(read: () => T[]): T[] {
  try {
    return read();
  } catch {
    return [];
  }
}
