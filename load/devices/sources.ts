// Where connections come from. One address has about 28,000 ports to give; on loopback all of 127.0.0.0/8 is ours,
// so that many connections are spread over several addresses of it.
import { readFileSync } from 'node:fs';

const PER_ADDRESS = 5_000;
const MAX_ADDRESSES = 250;
/** Descriptors that a process needs besides its connections. */
const RESERVED_DESCRIPTORS = 50;

/** The address that connection `index` comes from; undefined: the system chooses. */
export function sourceAddress(targetHost: string, index: number, connections: number): string | undefined {
  const addresses = Math.min(MAX_ADDRESSES, Math.ceil(connections / PER_ADDRESS));
  const loopback = /^127\.\d+\.\d+\.\d+$/.test(targetHost);
  return loopback && addresses > 1 ? `127.0.0.${1 + (index % addresses)}` : undefined;
}

/** What is wrong with so many connections in this process, or undefined. */
export function descriptorProblem(connections: number, limit = openFilesLimit()): string | undefined {
  const needed = connections + RESERVED_DESCRIPTORS;
  if (limit === undefined || needed <= limit) return undefined;
  return (
    `a process with ${connections} connections needs ${needed} open files, and ${limit} are allowed:` +
    ' use more --processes, or raise the limit (ulimit -n)'
  );
}

/** Undefined where the system does not say. Node has raised the soft limit to the hard one by now. */
function openFilesLimit(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
