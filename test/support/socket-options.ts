// Options of sockets as Linux has them: of a descriptor of this process, or as /proc/net/tcp shows them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// From <sys/socket.h> and <netinet/tcp.h> of Linux.
const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
/** The timer of a connection in /proc/net/tcp that sends keepalive probes, and the unit of its time. */
const KEEPALIVE_TIMER = '02';
const TICKS_PER_SECOND = 100;

export interface SocketOptions {
  readonly noDelay: boolean;
  readonly keepalive: boolean;
  readonly idleSeconds: number;
}

export function optionsOf(descriptor: number): SocketOptions {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const getsockopt = koffi
    .load(null)
    .func('int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)');
  const ask = (level: number, name: number): number => {
    const value = [0];
    const result = getsockopt(descriptor, level, name, value, [4]) as number;
    if (result !== 0) throw new Error(`getsockopt: errno ${koffi.errno()}`);
    return value[0] as number;
  };
  return {
    noDelay: ask(IPPROTO_TCP, TCP_NODELAY) !== 0,
    keepalive: ask(SOL_SOCKET, SO_KEEPALIVE) !== 0,
    idleSeconds: ask(IPPROTO_TCP, TCP_KEEPIDLE),
  };
}

/** Seconds until the next keepalive probe of a connection over IPv4. Undefined if none is due. */
export function secondsToProbe(ports: { readonly local: number; readonly peer: number }): number | undefined {
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  for (const row of rows) {
    const [, local = '', peer = '', , , timer = ''] = row.trim().split(/\s+/);
    if (portOf(local) !== ports.local || portOf(peer) !== ports.peer) continue;
    const [kind, ticks = ''] = timer.split(':');
    return kind === KEEPALIVE_TIMER ? Number.parseInt(ticks, 16) / TICKS_PER_SECOND : undefined;
  }
  throw new Error('there is no such connection');
}

const portOf = (address: string): number => Number.parseInt(address.split(':')[1] ?? '', 16);
