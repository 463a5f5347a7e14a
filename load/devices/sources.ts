// Source addresses of the connections, and the limit of open files. An address has about 28,000 ports, so on loopback
// many connections are spread over several addresses of 127.0.0.0/8.
import { openFilesLimit } from '../../src/server/limits.ts';

const PER_ADDRESS = 5_000;
const MAX_ADDRESSES = 250;
/** Files that a process opens besides its connections. */
const RESERVED_DESCRIPTORS = 50;

/** The source address of connection `index`; undefined = the system chooses. */
export function sourceAddress(targetHost: string, index: number, connections: number): string | undefined {
  const addresses = Math.min(MAX_ADDRESSES, Math.ceil(connections / PER_ADDRESS));
  const loopback = /^127\.\d+\.\d+\.\d+$/.test(targetHost);
  return loopback && addresses > 1 ? `127.0.0.${1 + (index % addresses)}` : undefined;
}

/** Why this process cannot open so many connections, or undefined. */
export function descriptorProblem(connections: number, limit = openFilesLimit()): string | undefined {
  const needed = connections + RESERVED_DESCRIPTORS;
  if (limit === undefined || needed <= limit) return undefined;
  return (
    `a process with ${connections} connections needs ${needed} open files, and ${limit} are allowed:` +
    ' use more --processes, or raise the limit (ulimit -n)'
  );
}
