// The content of the file `lock`: who holds the lock of a spool directory, for the messages to operators.
//
//   <pid> <pid of the first process> <host> [<pid namespace>]
//
// A second line is a note (lock.ts), which does not concern the owner.
// The first number is the process that holds the lock. The second one is the process that an operator stops: of several
// processes the first. The lock itself does not depend on the content (lock.ts): in containers every gateway is process 1.
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface LockOwner {
  /** The process that holds the lock. */
  readonly pid: number;
  /** The first process of its gateway; the same for a single process. */
  readonly gatewayPid: number;
  /** Undefined in files of older versions. */
  readonly host: string | undefined;
  /** The namespace of its process ids. Undefined in files of older versions, and on systems without namespaces. */
  readonly namespace: string | undefined;
}

export function ownerLine(gatewayPid: number): string {
  const namespace = pidNamespace();
  return `${process.pid} ${gatewayPid} ${hostname()}${namespace === undefined ? '' : ` ${namespace}`}\n`;
}

/** On Linux a number that all processes have that see the same process ids. */
function pidNamespace(): string | undefined {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
  } catch {
    return undefined;
  }
}

/** Its process ids mean nothing here. Two containers may have the same host name, for example that of their machine. */
function isElsewhere({ host, namespace }: LockOwner): boolean {
  if (host !== undefined && host !== hostname()) return true;
  return namespace !== undefined && namespace !== pidNamespace();
}

/** Undefined if nothing is known, for example because the disk was full. */
export function parseOwner(content: string): LockOwner | undefined {
  const match = /^(\d+)(?: (\d+) (\S+)(?: (\d+))?)?\s*(?:\n|$)/.exec(content);
  if (match === null) return undefined;
  const pid = Number(match[1]);
  return { pid, gatewayPid: Number(match[2] ?? pid), host: match[3], namespace: match[4] };
}

/** True if its gateway runs on this machine, so that it will not end by itself. A container is a machine of its own. */
export function isRunning(owner: LockOwner): boolean {
  return !isElsewhere(owner) && isAlive(owner.gatewayPid);
}

function isAlive(pid: number): boolean {
  if (pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The first process, unless it is known to be gone. */
export function pidToStop(owner: LockOwner | undefined): number | undefined {
  if (owner === undefined) return undefined;
  return isElsewhere(owner) || isAlive(owner.gatewayPid) ? owner.gatewayPid : owner.pid;
}

/** The process to stop, with the words "pid" and "host". */
export function ownerText(owner: LockOwner | undefined): string {
  if (owner === undefined) return 'pid unknown';
  const { pid, gatewayPid, host } = owner;
  if (isElsewhere(owner)) return `pid ${gatewayPid} on the host or container ${host}`;
  if (pid !== gatewayPid && !isAlive(gatewayPid))
    return `pid ${pid}, a server process that is still stopping, because its first process ${gatewayPid} is gone`;
  return `pid ${gatewayPid}`;
}
