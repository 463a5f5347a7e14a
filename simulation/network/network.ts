// The network of a world: machines, links, listening sockets and connections, and the faults that can be made in it. The
// handles of sockets (tcp-handle.ts, listen-handle.ts) are the only users of the rest; node:net of the simulation is built
// on them (simulation/shims/net.ts).
import type { SimProcess } from '../world/sim-process.ts';
import type { World } from '../world/world.ts';
import { type Connected, type ConnectRequest, startConnect } from './connect.ts';
import { Endpoint, type HostPort } from './endpoint.ts';
import { Hosts, type Lookup } from './hosts.ts';
import { ANY_HOST, type LinkSettings, Links } from './links.ts';
import { Listener } from './listener.ts';

declare module '../world/world.ts' {
  interface World {
    network: Network;
  }
}

/** Whatever has a descriptor. */
interface Owned {
  ownerDied(): void;
}

interface Connection {
  readonly client: Endpoint;
  readonly server: Endpoint;
}

const FIRST_EPHEMERAL = 32_768;
const EPHEMERAL_PORTS = 28_000;
/** Far from the numbers of files, so that nobody mixes them up. */
const FIRST_FD = 1_000_000;
/** After an answer was lost, the connection breaks within this time. */
const LOSS_NOTICED_MS = 50;

export class Network {
  readonly world: World;
  readonly hosts: Hosts;
  readonly links: Links;
  /** Of the kernel, for connections made from now on. */
  buffers = { sendBytes: 128 * 1024, receiveBytes: 128 * 1024 };
  /**
   * As libuv before 1.52 (Node 20 and 22): a reset that came together with the last bytes looks like the end of the input.
   * Since then the error shows (https://github.com/libuv/libuv/pull/4997).
   */
  hidesLateResets = true;
  readonly #listeners = new Map<string, Listener>();
  readonly #connections = new Set<Connection>();
  readonly #owned = new Map<SimProcess, Set<Owned>>();
  /** Descriptors that a process has inherited and not used yet. */
  readonly #inherited = new Map<SimProcess, Map<number, Listener>>();
  /** Listening sockets by the descriptor in the process that bound them. */
  readonly #bound = new Map<number, Listener>();
  readonly #refused = new Set<string>();
  readonly #deaths = new Map<string, number>();
  #fds = FIRST_FD;
  #ports = 0;

  constructor(world: World) {
    this.world = world;
    this.hosts = new Hosts(world);
    this.links = new Links(world);
  }

  // ---- faults ----

  /** Both directions between two machines; `*` = all others. Names are those of addressOf(). */
  link(a: string, b: string, settings: Partial<LinkSettings>): void {
    this.links.set(a, b, settings);
  }

  /** Nothing arrives any more, and nobody hears of it. */
  cut(a: string, b: string): void {
    this.world.note(`the link between ${a} and ${b} is cut`);
    this.links.cut(a, b);
    for (const { client, server } of this.#between(a, b)) {
      client.watchSilence();
      server.watchSilence();
    }
  }

  /** The link works again. Without names all faults of the network end. */
  heal(a?: string, b?: string): void {
    this.world.note(a === undefined ? 'the network is healed' : `the link between ${a} and ${b} works again`);
    if (a !== undefined && b !== undefined) {
      this.links.heal(a, b);
      return;
    }
    this.links.healAll();
    this.links.reset();
    this.#refused.clear();
    this.hosts.failing.clear();
  }

  /** Each connection between the two machines breaks at both ends. @returns how many */
  reset(a: string, b: string): number {
    const broken = this.#between(a, b);
    this.world.note(`${broken.length} connections between ${a} and ${b} are reset`);
    for (const connection of broken) this.#break(connection);
    return broken.length;
  }

  /**
   * The next bytes from one machine to another are lost, and then the connection breaks at both ends: an answer
   * that never comes to a request that was carried out. Holds for the connections that there are. @returns how many
   */
  dropNext(from: string, to: string): number {
    const hit = this.#between(from, to);
    this.world.note(`the next bytes from ${from} to ${to} are lost on ${hit.length} connections`);
    for (const connection of hit) {
      const { client, server } = connection;
      const sender = matches(client.host, from) && matches(server.host, to) ? client : server;
      sender.onLost = () => {
        sender.onLost = () => {};
        const afterMs = this.world.random('network loss').next() * LOSS_NOTICED_MS;
        this.world.after(afterMs, () => this.#break(connection), this.world.outside);
      };
      sender.loseRest();
    }
    return hit.length;
  }

  /** Something on the way ends one direction with FIN. @returns how many connections it has hit */
  halfClose(from: string, to: string): number {
    const hit = this.#between(from, to);
    this.world.note(`${from} seems to have ended its direction to ${to} on ${hit.length} connections`);
    for (const { client, server } of hit) {
      const sender = matches(client.host, from) && matches(server.host, to) ? client : server;
      sender.shutdown();
    }
    return hit.length;
  }

  /** Connects to the port are refused until heal() or accept(). */
  refuse(host: string, port: number): void {
    this.world.note(`connects to ${host}:${port} are refused`);
    this.#refused.add(`${host}:${port}`);
  }

  accept(host: string, port: number): void {
    this.#refused.delete(`${host}:${port}`);
  }

  /** The machine has no power: its connections vanish without a word. Its processes must be killed first. */
  powerOff(host: string): void {
    this.world.note(`${host} has no power`);
    for (const { client, server } of this.#between(host, ANY_HOST)) {
      if (client.host === host) client.vanish();
      if (server.host === host) server.vanish();
    }
    this.cut(host, ANY_HOST);
  }

  powerOn(host: string): void {
    this.heal(host, ANY_HOST);
  }

  /** The name of the machine has no address until heal(); `*` = none has. */
  failLookups(host: string): void {
    this.hosts.failing.add(host);
  }

  allowLookups(host: string): void {
    this.hosts.failing.delete(host);
  }

  // ---- for the shims ----

  /** As getaddrinfo(). @throws LookupError */
  lookup(host: string): Lookup {
    return this.hosts.lookup(host);
  }

  /** The process runs on this machine, instead of the gateway's. */
  place(process: SimProcess, host: string): void {
    this.hosts.place(process, host);
  }

  hostOf(process: SimProcess): string {
    return this.hosts.machineOf(process);
  }

  /** When a process with sockets last ended on the machine: its kernel sends FIN, as if the process had closed them. */
  lastDeathMs(host: string): number {
    return this.#deaths.get(host) ?? Number.NEGATIVE_INFINITY;
  }

  addressOf(host: string): string {
    return this.hosts.addressOf(host);
  }

  /** The child gets the sockets among the descriptors in `stdio`, as fork() says: its descriptor is the place in the list. */
  inherit(_parent: SimProcess, child: SimProcess, stdio: readonly unknown[]): void {
    for (const [childFd, fd] of stdio.entries()) {
      const listener = typeof fd === 'number' ? this.#bound.get(fd) : undefined;
      if (listener !== undefined) this.#give(child, childFd, listener);
    }
  }

  // ---- for the handles ----

  nextFd(): number {
    return this.#fds++;
  }

  /** The owner has a descriptor, which the kernel closes when the process ends. */
  opened(owner: SimProcess, owned: Owned): void {
    let all = this.#owned.get(owner);
    if (all === undefined) {
      all = new Set();
      this.#owned.set(owner, all);
      owner.onDeath(() => this.#ownerDied(owner));
    }
    all.add(owned);
  }

  closed(owner: SimProcess, owned: Owned): void {
    this.#owned.get(owner)?.delete(owned);
  }

  /** A bound socket, or undefined if the address is in use. */
  bind(owner: SimProcess, { address, port }: HostPort): { fd: number; listener: Listener | undefined } {
    const fd = this.nextFd();
    const machine = this.hosts.at(address, owner) ?? this.hosts.machineOf(owner);
    const bound = { address, port: port === 0 ? this.#freePort(machine) : port };
    const key = keyOf(machine, bound.port);
    if (this.#listeners.has(key)) return { fd, listener: undefined };
    const listener = new Listener(this.world, { machine, bound }, () => {
      this.#listeners.delete(key);
      this.#bound.delete(fd);
    });
    listener.retain();
    this.#listeners.set(key, listener);
    this.#bound.set(fd, listener);
    return { fd, listener };
  }

  /** The socket that the process has inherited as `fd`. It belongs to the handle from now on. */
  takeInherited(owner: SimProcess, fd: number): Listener | undefined {
    const inherited = this.#inherited.get(owner);
    const listener = inherited?.get(fd);
    inherited?.delete(fd);
    return listener;
  }

  connect(request: ConnectRequest, done: Connected): () => void {
    return startConnect(
      {
        world: this.world,
        hosts: this.hosts,
        links: this.links,
        listenerAt: (machine, to) => this.#listenerAt(machine, to),
        endpoint: (host, local) => this.#endpoint(host, local),
        ephemeralPort: () => FIRST_EPHEMERAL + (this.#ports++ % EPHEMERAL_PORTS),
        joined: (client, server) => this.#joined(client, server),
      },
      request,
      done,
    );
  }

  #give(child: SimProcess, fd: number, listener: Listener): void {
    listener.retain();
    const inherited = this.#inherited.get(child) ?? new Map<number, Listener>();
    this.#inherited.set(child, inherited.set(fd, listener));
    this.opened(child, {
      ownerDied: () => {
        // Those that were used belong to their handles.
        if (inherited.delete(fd)) listener.release();
      },
    });
  }

  #endpoint(host: string, local: HostPort): Endpoint {
    return new Endpoint({ world: this.world, links: this.links }, { host, local, ...this.buffers });
  }

  #joined(client: Endpoint, server: Endpoint): void {
    const connection = { client, server };
    this.#connections.add(connection);
    const forget = () => {
      if (client.isGone && server.isGone) this.#connections.delete(connection);
    };
    client.onGone = forget;
    server.onGone = forget;
  }

  #listenerAt(machine: string, to: HostPort): Listener | undefined {
    if (this.#refused.has(`${machine}:${to.port}`)) return undefined;
    const listener = this.#listeners.get(keyOf(machine, to.port));
    if (listener === undefined || !listener.isListening) return undefined;
    const { address } = listener.bound;
    // A socket that is bound to the loopback address is not seen from other machines.
    return this.hosts.isAny(address) || address === to.address ? listener : undefined;
  }

  #freePort(machine: string): number {
    let port = FIRST_EPHEMERAL;
    while (this.#listeners.has(keyOf(machine, port))) port++;
    return port;
  }

  #break({ client, server }: Connection): void {
    client.reset();
    server.reset();
  }

  #between(a: string, b: string): Connection[] {
    return [...this.#connections].filter(
      ({ client, server }) =>
        (matches(client.host, a) && matches(server.host, b)) ||
        (matches(client.host, b) && matches(server.host, a)),
    );
  }

  #ownerDied(owner: SimProcess): void {
    this.#deaths.set(this.hostOf(owner), this.world.nowMs);
    for (const owned of this.#owned.get(owner) ?? []) owned.ownerDied();
    this.#owned.delete(owner);
    this.#inherited.delete(owner);
  }
}

function matches(host: string, name: string): boolean {
  return name === ANY_HOST || host === name;
}

function keyOf(machine: string, port: number): string {
  return `${machine}:${port}`;
}
