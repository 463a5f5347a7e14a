// A listening socket as the kernel keeps it: bound to an address, shared by all processes that have a descriptor of it, with
// one backlog. Connections in the backlog outlive a process that dies, as long as another one has a descriptor.
import type { World } from '../world/world.ts';
import type { Endpoint, HostPort } from './endpoint.ts';

/** Whoever accepts: a handle of a process. */
export interface Acceptor {
  wake(delayMs: number): void;
}

/** Processes that wait for the same socket wake up at about the same time, in any order. */
const WAKE_MS = 0.05;
/** net.core.somaxconn */
const MAX_BACKLOG = 4096;

export class Listener {
  readonly machine: string;
  readonly bound: HostPort;
  /** Accepted connections inherit it. Undefined = no probes */
  keepAliveMs: number | undefined;
  readonly #world: World;
  readonly #acceptors = new Set<Acceptor>();
  readonly #onClosed: () => void;
  #backlog: Endpoint[] = [];
  #maxBacklog: number | undefined;
  #descriptors = 0;

  constructor(world: World, socket: { machine: string; bound: HostPort }, onClosed: () => void) {
    this.#world = world;
    this.machine = socket.machine;
    this.bound = socket.bound;
    this.#onClosed = onClosed;
  }

  get isListening(): boolean {
    return this.#maxBacklog !== undefined;
  }

  get isFull(): boolean {
    return this.#backlog.length > (this.#maxBacklog ?? 0);
  }

  get hasBacklog(): boolean {
    return this.#backlog.length > 0;
  }

  listen(backlog: number, acceptor: Acceptor): void {
    this.#maxBacklog = Math.min(backlog, MAX_BACKLOG);
    this.#acceptors.add(acceptor);
    if (this.hasBacklog) acceptor.wake(0);
  }

  /** A connection has been made, and waits for a process. */
  offer(endpoint: Endpoint): void {
    this.#backlog.push(endpoint);
    this.wakeAll();
  }

  accept(): Endpoint | undefined {
    const endpoint = this.#backlog.shift();
    endpoint?.setKeepAlive(this.keepAliveMs);
    return endpoint;
  }

  wakeAll(): void {
    const isShared = this.#acceptors.size > 1;
    for (const acceptor of this.#acceptors)
      acceptor.wake(isShared ? this.#world.random('network accept').next() * WAKE_MS : 0);
  }

  /** One more descriptor of it. */
  retain(): void {
    this.#descriptors++;
  }

  /** A descriptor was closed. The last one closes the socket, and resets the connections in its backlog. */
  release(acceptor?: Acceptor): void {
    if (acceptor !== undefined) this.#acceptors.delete(acceptor);
    if (--this.#descriptors > 0) return;
    this.#maxBacklog = undefined;
    for (const endpoint of this.#backlog) endpoint.abort();
    this.#backlog = [];
    this.#onClosed();
  }
}
