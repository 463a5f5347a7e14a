// Notices that the process which started the gateway is gone. Only `npm start` asks for it (scripts/run.mjs): a gateway that
// a service manager, nohup or a container started has no such process, or outlives it on purpose.
import { readFileSync } from 'node:fs';

const POLL_MS = 500;
/** npm starts a shell, and the shell the gateway. If npm ends, the shell stays. */
const SHELLS = /^(?:sh|ash|bash|dash|zsh|busybox)$/;

/**
 * @param parent its parent when it was started, which may be gone by now
 * @param gone called once
 */
export function watchParent(parent: number, gone: (pid: number) => void): void {
  const isShell = SHELLS.test(fileOf(parent, 'comm').trim());
  const grandparent = isShell ? parentOf(parent) : undefined;
  const lost = () => {
    if (process.ppid !== parent) return parent;
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

/** Undefined if the process is gone, or if this is not Linux. */
function parentOf(pid: number): number | undefined {
  const [, parent] = /^PPid:\s*(\d+)$/m.exec(fileOf(pid, 'status')) ?? [];
  return parent === undefined ? undefined : Number(parent);
}

function fileOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
