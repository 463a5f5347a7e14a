// Measures the memory of connections that have sent a line: in the processes of the gateway, plain and over TLS, and in the
// kernel.
import { readFileSync } from 'node:fs';
import { settledBytes } from '../../bench/scenarios/settled.ts';
import { residentBytesOf } from '../../scripts/lib/proc.ts';
import { type CalibrationOptions, SERVER_PROCESSES, type Stage, withStage } from './stage.ts';

export interface MemoryCost {
  /** A process without connections. */
  readonly serverBytes: number;
  readonly primaryBytes: number;
  /** Of a connection, in all processes of the gateway. */
  readonly connectionBytes: number;
  readonly tlsConnectionBytes: number;
  readonly kernelBytes: number;
}

/** Connections stay open while they are silent. */
const SETTINGS = { TCP_IDENTIFY_TIMEOUT: '30m', TCP_INACTIVITY_TIMEOUT: '30m' } as const;
const LINE_BYTES = 200;
const AT_ONCE = 32;
/** Each device sends a few lines. */
const SEND = { perSecond: 3_000, lineBytes: LINE_BYTES, seconds: 5 };

export async function measureMemory(options: CalibrationOptions): Promise<MemoryCost> {
  const plain = await measureWith(options, false);
  const tls = await measureWith(options, true);
  return { ...plain, tlsConnectionBytes: tls.connectionBytes };
}

/** A gateway of its own for each: memory that closed connections leave behind would hide what new ones need. */
function measureWith(
  options: CalibrationOptions,
  tls: boolean,
): Promise<Omit<MemoryCost, 'tlsConnectionBytes'>> {
  return withStage(options, SETTINGS, async (stage) => {
    const { server, fleet, ca } = stage;
    const { connections: count, signal } = options;
    const port = tls ? server.tlsPort : server.tcpPort;
    const arrive = { port, ca: tls ? ca : null, atOnce: AT_ONCE, resume: false };
    // The first devices compile the code and fill its caches, and the heap grows in steps, so only further ones count.
    const first = Math.ceil(count / 2);
    await fleet.call('arrive', { ...arrive, count: first });
    await fleet.call('send', SEND);
    const before = await sizes(stage, signal);
    const kernelBefore = kernelSocketBytes();
    const further = 3 * count;
    await fleet.call('arrive', { ...arrive, count: further });
    const kernel = kernelSocketBytes() - kernelBefore;
    await fleet.call('send', SEND);
    const after = await sizes(stage, signal);
    const grown = (from: number, to: number): number => (to - from) / further;
    const [serversEach, primaryEach] = [
      grown(before.servers, after.servers),
      grown(before.primary, after.primary),
    ];
    return {
      serverBytes: (before.servers - first * serversEach) / SERVER_PROCESSES,
      primaryBytes: before.primary - first * primaryEach,
      connectionBytes: serversEach + primaryEach,
      // The devices are on this machine too.
      kernelBytes: kernel / further / 2,
    };
  });
}

async function sizes({ server }: Stage, signal: AbortSignal): Promise<{ primary: number; servers: number }> {
  const [first = 0, ...others] = server.pids;
  const servers = () => others.reduce((sum, pid) => sum + residentBytesOf(pid), 0);
  await settledBytes(() => servers() + residentBytesOf(first), signal);
  return { primary: residentBytesOf(first), servers: servers() };
}

/** The objects that each open socket has. Other users of memory do not count. */
const CACHES = ['TCP', 'TCPv6', 'sock_inode_cache', 'filp', 'eventpoll_epi'] as const;
/** A socket has one, but other work of the machine changes their number all the time. */
const DENTRY_BYTES = 192;

/** Kernel memory of all sockets of the machine. NaN unless root reads it. */
function kernelSocketBytes(): number {
  let text: string;
  try {
    text = readFileSync('/proc/slabinfo', 'utf8');
  } catch {
    return Number.NaN;
  }
  return CACHES.reduce((sum, name) => {
    const [, count = 0, bytes = 0] = (
      new RegExp(`^${name}\\s+\\d+\\s+(\\d+)\\s+(\\d+)`, 'm').exec(text) ?? []
    ).map(Number);
    return sum + count * (bytes + (name === 'sock_inode_cache' ? DENTRY_BYTES : 0));
  }, 0);
}
