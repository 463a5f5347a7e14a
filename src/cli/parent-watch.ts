// Notices that the process which started the gateway is gone. Only npm and npx are watched: a gateway that a service manager,
// nohup or a container started has no such process, or outlives it on purpose.
import { readFileSync } from 'node:fs';

const POLL_MS = 500;
/** npm starts a shell, and the shell the gateway. If npm ends, the shell stays. */
const SHELLS = /^(?:sh|ash|bash|dash|zsh|busybox)$/;

/** `sluice`, `'sluice'`, `node_modules/.bin/sluice serve`: the commands that npm gives to a shell. */
const SLUICE_SCRIPT = /(?:^|[\s'"]|\.bin\/)sluice(?:['"]|\s|$)/;

/**
 * npx, or npm with a script that runs `sluice`. SIGTERM ends npm and its shell, and does not reach the gateway.
 * The script is looked at because everything below npm inherits its variables, also a gateway that another program starts.
 */
export function npmParent(env: Readonly<Record<string, string | undefined>>): number | undefined {
  return SLUICE_SCRIPT.test(env.npm_lifecycle_script ?? '') ? process.ppid : undefined;
}

/**
 * @param parent its parent when it was started, which may be gone by now
 * @param gone called once
 */
export function watchParent(parent: number, gone: (pid: number) => void): void {
  const isShell = SHELLS.test(fileOf(parent, 'comm').trim());
  const grandparent = isShell ? parentOf(parent) : undefined;
  // npm may have ended before this process read anything.
  const wasLate = isAdoptive(parent) || (grandparent !== undefined && isAdoptive(grandparent));
  const lost = () => {
    if (wasLate || process.ppid !== parent) return parent;
    return grandparent !== undefined && parentOf(parent) !== grandparent ? grandparent : undefined;
  };
  const timer = setInterval(() => {
    const pid = lost();
    if (pid === undefined) return;
    clearInterval(timer);
    gone(pid);
  }, POLL_MS);
  timer.unref();
}

/**
 * True if it got the process because the parent had ended: process 1, or the systemd of a user. In a container process 1 may be
 * npm itself, which has its children in its own group.
 */
function isAdoptive(pid: number): boolean {
  const adopts = pid === 1 || fileOf(pid, 'comm').trim() === 'systemd';
  return adopts && (groupOf('self') === undefined || groupOf(pid) !== groupOf('self'));
}

/** The number of its process group. Undefined as for parentOf(). */
function groupOf(pid: number | 'self'): string | undefined {
  // proc(5): behind the name in brackets, which may have spaces, come state, parent and group.
  return /^.*\) \S \d+ (\d+)/s.exec(fileOf(pid, 'stat'))?.[1];
}

/** Undefined if the process is gone, or if this is not Linux. */
function parentOf(pid: number): number | undefined {
  const [, parent] = /^PPid:\s*(\d+)$/m.exec(fileOf(pid, 'status')) ?? [];
  return parent === undefined ? undefined : Number(parent);
}

function fileOf(pid: number | 'self', name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
