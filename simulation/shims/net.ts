// node:net in a world: Node's own sockets and servers on simulated handles (simulation/network). Functions that ask neither
// the kernel nor the clock are Node's.
import net, {
  type ListenOptions,
  type NetConnectOpts,
  type ServerOpts,
  type SocketConstructorOpts,
  type Socket as SocketType,
} from 'node:net';
import { UV } from '../network/errno.ts';
import { ListenHandle } from '../network/listen-handle.ts';
import type { Network } from '../network/network.ts';
import { TcpHandle } from '../network/tcp-handle.ts';
import { hasWorld, world } from '../world/world.ts';

export { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';

/** How long a name takes to become an address. */
const LOOKUP_MS = 0.5;

type LookupCallback = (error: Error | null, address?: string, family?: number) => void;

function network(): Network {
  return world().network;
}

/** Options that Node does not document. */
interface Undocumented {
  readonly handle?: unknown;
  readonly fd?: number | undefined;
  readonly manualStart?: boolean;
}

/** As Node takes them: an object, or port and host, and then the listener. */
type ConnectArguments = readonly unknown[];

export class Socket extends net.Socket {
  constructor(options: SocketConstructorOpts & Undocumented = {}) {
    if (options.fd !== undefined) throw new Error('not simulated: a socket of a descriptor');
    const needsHandle = options.handle === undefined && hasWorld();
    super(needsHandle ? { ...options, ...{ handle: new TcpHandle(network()), manualStart: true } } : options);
  }

  override connect(...all: unknown[]): this {
    const { options, listener } = connectArguments(all);
    const full = { ...options, lookup, autoSelectFamily: false };
    super.connect(full as NetConnectOpts, listener as () => void);
    return this;
  }

  override setTimeout(ms: number): this {
    if (ms > 0) throw new Error('not simulated: setTimeout() of a socket');
    return this;
  }
}

/** Node's own way to listen, which it calls once it knows the address. */
type Listen2 = (...parameters: unknown[]) => void;
const { _listen2: listen2 } = net.Server.prototype as unknown as { _listen2: Listen2 };

export class Server extends net.Server {
  override listen(...all: unknown[]): this {
    const [options, ...more] = all;
    const { _handle: given } = isObject(options) ? (options as { _handle?: unknown }) : {};
    if (given instanceof ListenHandle) {
      (this as unknown as { _handle: ListenHandle })._handle = given;
      listen2.call(this, null, -1, -1, more[0]);
      return this;
    }
    const host = isObject(options) ? (options as ListenOptions).host : undefined;
    const resolved =
      host === undefined ? options : { ...(options as object), host: network().lookup(host).address };
    super.listen(resolved as ListenOptions, ...(more as never[]));
    return this;
  }

  _listen2(address: string | null, port: number | null, family: number, backlog: number, fd?: number): void {
    const handle = fd === undefined ? ownHandle(address ?? '::', port ?? 0) : inheritedHandle(fd);
    (this as unknown as { _handle: ListenHandle })._handle = handle;
    listen2.call(this, address ?? '::', port, address === null ? 6 : family, backlog, fd);
  }
}

export function createServer(
  options?: ServerOpts | ((socket: SocketType) => void),
  listener?: (socket: SocketType) => void,
): Server {
  return typeof options === 'function' ? new Server(options) : new Server(options, listener);
}

export function connect(...all: unknown[]): Socket {
  const { options } = connectArguments(all);
  return new Socket(options as SocketConstructorOpts).connect(...all);
}

export const createConnection = connect;

/** As Node's cluster opens a socket for others: bound, not listening. @returns the handle, or the number of an error */
export function _createServerHandle(address: string, port: number): ListenHandle | number {
  if (network().hosts.at(address, world().current) === undefined) return UV.EADDRNOTAVAIL;
  return ownHandle(address, port);
}

function ownHandle(address: string, port: number): ListenHandle {
  return new ListenHandle(network(), network().bind(world().current, { address, port }));
}

function inheritedHandle(fd: number): ListenHandle {
  const listener = network().takeInherited(world().current, fd);
  if (listener === undefined) throw new Error(`descriptor ${fd} is no inherited socket`);
  return new ListenHandle(network(), { fd, listener });
}

function lookup(host: string, _options: unknown, callback: LookupCallback): void {
  world().after(LOOKUP_MS, () => {
    try {
      const { address, family } = network().lookup(host);
      callback(null, address, family);
    } catch (error) {
      callback(error as Error);
    }
  });
}

function connectArguments(all: ConnectArguments): { options: object; listener: unknown } {
  const [first, ...more] = all;
  const listener = all.find((argument) => typeof argument === 'function');
  if (isObject(first)) return { options: first as object, listener };
  const host = typeof more[0] === 'string' ? more[0] : undefined;
  return { options: { port: Number(first), ...(host !== undefined && { host }) }, listener };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

export default {
  ...net,
  Socket,
  Stream: Socket,
  Server,
  createServer,
  connect,
  createConnection,
  _createServerHandle,
};
