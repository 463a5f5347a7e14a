// Programs in PID namespaces of their own, as in containers: each is process 1 there.
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { childrenOf } from '../../scripts/lib/proc.ts';
import { skipLoudly, skipWithoutTool } from './missing-tool.ts';
import { waitFor } from './wait.ts';

// Without root a user namespace of its own is needed, which some systems forbid.
const USER = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'];

/** The program that begins the command line. It ends with the exit code of process 1, and takes that one with it. */
export const AS_PROCESS_ONE: readonly string[] = [
  'unshare',
  ...USER,
  '--pid',
  '--uts',
  '--fork',
  '--kill-child',
  '--mount-proc',
];

/** False, and the test is skipped loudly, if the system forbids namespaces. In CI a missing program is a failure. */
export function hasNamespaces(t: TestContext): boolean {
  const [file = '', ...args] = AS_PROCESS_ONE;
  const { status, error, stderr } = spawnSync(file, [...args, 'true'], { encoding: 'utf8' });
  if (status === 0) return true;
  if (error === undefined) skipLoudly(t, `no PID namespace can be made here: ${stderr.trim()}`);
  else skipWithoutTool(t, 'unshare is missing (on Debian: apt-get install util-linux)');
  return false;
}

/** The id that process 1 of the namespace has outside. @param pid of `unshare` */
export async function outerPidOf(pid: number): Promise<number> {
  return waitFor('process 1 of the namespace', () => childrenOf(pid)[0]);
}
