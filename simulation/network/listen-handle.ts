// The handle of a listening socket in one process, as Node's net.Server uses it. It accepts one connection in each event,
// as libuv does in each turn.
import type { SimProcess } from '../world/sim-process.ts';
import { UV } from './errno.ts';
import type { Acceptor, Listener } from './listener.ts';
import type { Network } from './network.ts';
import { TcpHandle } from './tcp-handle.ts';

interface Named {
  address?: string;
  port?: number;
  family?: string;
}

export class ListenHandle implements Acceptor {
  readonly fd: number;
  /** Called by Node's server: 0 and the handle of the accepted connection. */
  onconnection: (error: number, handle?: TcpHandle) => void = () => {};
  readonly #network: Network;
  readonly #owner: SimProcess;
  readonly #listener: Listener | undefined;
  #isWoken = false;
  #isClosed = false;

  /** @param listener undefined if the address is in use, which is only told by getsockname() and listen() */
  constructor(network: Network, descriptor: { fd: number; listener: Listener | undefined }) {
    this.#network = network;
    this.#owner = network.world.current;
    this.fd = descriptor.fd;
    this.#listener = descriptor.listener;
    network.opened(this.#owner, this);
  }

  listen(backlog: number): number {
    if (this.#listener === undefined) return UV.EADDRINUSE;
    this.#listener.listen(backlog, this);
    return 0;
  }

  setNoDelay(): number {
    return 0;
  }

  setKeepAlive(isOn: boolean, idleSeconds: number): number {
    if (this.#listener !== undefined) this.#listener.keepAliveMs = isOn ? idleSeconds * 1000 : undefined;
    return 0;
  }

  wake(delayMs: number): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    this.#network.world.after(delayMs, () => this.#accept(), this.#owner);
  }

  getsockname(out: Named): number {
    if (this.#listener === undefined) return UV.EADDRINUSE;
    const { address, port } = this.#listener.bound;
    Object.assign(out, { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' });
    return 0;
  }

  close(closed?: () => void): void {
    if (this.#isClosed) return;
    this.ownerDied();
    this.#network.closed(this.#owner, this);
    if (closed !== undefined) this.#network.world.after(0, closed, this.#owner);
  }

  /** The kernel closes the descriptors of a process that has ended. */
  ownerDied(): void {
    this.#isClosed = true;
    this.#listener?.release(this);
  }

  ref(): void {}

  unref(): void {}

  getAsyncId(): number {
    return this.fd;
  }

  #accept(): void {
    this.#isWoken = false;
    if (this.#isClosed) return;
    const endpoint = this.#listener?.accept();
    if (endpoint === undefined) return;
    if (this.#listener?.hasBacklog) this.#listener.wakeAll();
    const isIPv6 = this.#listener?.bound.address.includes(':') === true;
    this.onconnection(0, TcpHandle.accepted(this.#network, endpoint, isIPv6));
  }
}
