// Runs a TCP proxy before each broker, for the faults of a network. It rewrites metadata answers, so that clients
// connect to the proxies. Brokers and the judge use the brokers' own addresses, and no fault reaches them.
import { connect, createServer, type Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  answeredId,
  disown,
  FrameSplitter,
  METADATA,
  PRODUCE,
  type RequestHead,
  redirect,
  requestHead,
  SASL_AUTHENTICATE,
  throttledMs,
} from './frames.ts';
import { Lane } from './lane.ts';
import type { ServiceProfile, Treated } from './managed-services.ts';
import { freePort } from './ports.ts';

export interface ProxyCounters {
  connections: number;
  /** Answers to produce requests that no client got. */
  swallowed: number;
  /** Milliseconds of throttling in the answers to produce requests. */
  throttledMs: number;
  /** Requests that were larger than maxRequestBytes. */
  tooLarge: number;
  /** Logins, renewals included. */
  logins: number;
}

const PROBE_MS = 50;

export class BrokerProxy {
  readonly port: number;
  readonly counters: ProxyCounters = { connections: 0, swallowed: 0, throttledMs: 0, tooLarge: 0, logins: 0 };
  /** Added to each direction. */
  delayMs = 0;
  /** Bytes a second in each direction of a connection, 0 = no limit. */
  rate = 0;
  /** Number of coming answers to produce requests to swallow. Each resets its connection. */
  swallowAnswers = 0;
  /** Number of coming answers to produce requests that become NOT_LEADER_OR_FOLLOWER, although the batch is stored. */
  disownAnswers = 0;
  /** Added to each answer to a produce request. Later answers wait behind it, as with a real broker. */
  produceDelayMs = 0;
  /** A larger request closes its connection without an answer. 0 = no limit. */
  maxRequestBytes = 0;
  /** The limits of a managed service. heal() leaves them. */
  readonly profile: ServiceProfile | undefined;
  readonly #target: { host: string; port: number };
  readonly #redirect: (port: number) => number;
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  #blackhole = false;
  #refusing = false;
  #closed = false;

  private constructor(
    port: number,
    {
      target,
      portOf,
      profile,
    }: { target: string; portOf: (port: number) => number; profile?: ServiceProfile | undefined },
  ) {
    const colon = target.lastIndexOf(':');
    this.port = port;
    this.#target = { host: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
    this.#redirect = portOf;
    this.profile = profile;
  }

  /** @param targets host:port of each broker */
  static async before(targets: readonly string[], profile?: ServiceProfile): Promise<BrokerProxy[]> {
    const ports = new Map<number, number>();
    const proxies: BrokerProxy[] = [];
    for (const target of targets) {
      const portOf = (port: number) => ports.get(port) ?? port;
      const proxy = new BrokerProxy(await freePort(), { target, portOf, profile });
      ports.set(proxy.#target.port, proxy.port);
      proxies.push(proxy);
    }
    await Promise.all(proxies.map((proxy) => proxy.#listen()));
    return proxies;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** While true, nothing arrives. Afterwards everything does, as after lost packets. */
  set blackhole(on: boolean) {
    this.#blackhole = on;
    for (const link of this.#links) link.hold(on);
  }

  get blackhole(): boolean {
    return this.#blackhole;
  }

  /** Stops listening, and resets every connection. */
  refuse(): void {
    this.#refusing = true;
    this.#unlisten();
    this.reset();
  }

  async accept(): Promise<void> {
    this.#refusing = false;
    await this.#listen();
  }

  reset(): void {
    for (const link of [...this.#links]) link.reset();
  }

  /** Sends FIN to every client, and keeps the connections. */
  halfClose(): void {
    for (const link of this.#links) link.client.end();
  }

  /** Ends every fault. Open connections go on. */
  async heal(): Promise<void> {
    this.delayMs = 0;
    this.rate = 0;
    this.swallowAnswers = 0;
    this.disownAnswers = 0;
    this.produceDelayMs = 0;
    this.maxRequestBytes = 0;
    this.blackhole = false;
    if (this.#refusing) await this.accept();
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    this.reset();
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined || this.#refusing || this.#closed) return;
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#join(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
  }

  #unlisten(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #join(client: Socket): void {
    this.counters.connections++;
    const broker = connect({ ...this.#target, noDelay: true, allowHalfOpen: true });
    const link = new Link(this, { client, broker, redirect: this.#redirect });
    link.hold(this.#blackhole);
    this.#links.add(link);
    link.closed = () => this.#links.delete(link);
    broker.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') void this.#refuseUntilItListens();
    });
  }

  // While the broker is down, its proxy must refuse connections, too, rather than accept and drop them.
  async #refuseUntilItListens(): Promise<void> {
    if (this.#server === undefined) return;
    this.#unlisten();
    while (!this.#closed && !(await this.#answers())) await sleep(PROBE_MS);
    await this.#listen().catch(() => undefined);
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = new Socket();
      socket.once('error', () => resolve(false));
      socket.connect(this.#target, () => {
        socket.destroy();
        resolve(true);
      });
    });
  }
}

/** A client's connection and the connection to the broker behind it. */
class Link {
  readonly client: Socket;
  closed: () => void = () => undefined;
  readonly #proxy: BrokerProxy;
  readonly #broker: Socket;
  readonly #lanes: readonly [up: Lane, down: Lane];
  readonly #redirect: (port: number) => number;
  readonly #asked = new Map<number, { readonly head: RequestHead; readonly treated: Treated | undefined }>();
  /** The client is throttled until then: its next requests wait. */
  #mutedUntilMs = 0;

  constructor(
    proxy: BrokerProxy,
    { client, broker, redirect }: { client: Socket; broker: Socket; redirect: (port: number) => number },
  ) {
    this.client = client;
    this.#proxy = proxy;
    this.#broker = broker;
    this.#redirect = redirect;
    this.#lanes = [new Lane(proxy, broker), new Lane(proxy, client)];
    const requests = new FrameSplitter();
    const answers = new FrameSplitter();
    client.on('data', (chunk) => {
      for (const frame of requests.push(chunk)) this.#onRequest(frame);
    });
    broker.on('data', (chunk) => {
      for (const frame of answers.push(chunk)) this.#onAnswer(frame);
    });
    for (const socket of [client, broker]) {
      socket.on('error', () => undefined);
      socket.on('close', () => this.#end());
    }
    client.on('end', () => broker.end());
    // When a broker ends, the client's connection ends with it. Only halfClose() ends one side alone.
    broker.on('end', () => client.destroy());
  }

  hold(on: boolean): void {
    for (const lane of this.#lanes) lane.hold(on);
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.#broker.destroy();
  }

  #onRequest(frame: Buffer): void {
    const { counters, maxRequestBytes, profile } = this.#proxy;
    const limit = maxRequestBytes || (profile?.maxRequestBytes ?? 0);
    if (limit > 0 && frame.length > limit) {
      counters.tooLarge++;
      this.client.end();
      this.#broker.destroy();
      return;
    }
    const head = requestHead(frame);
    const treated = profile?.treat(frame, head);
    this.#asked.set(head.correlationId, { head, treated });
    if (head.apiKey === SASL_AUTHENTICATE) counters.logins++;
    this.#lanes[0].send(frame, Math.max(0, this.#mutedUntilMs - performance.now()));
    if (treated?.muteMs !== undefined) this.#mutedUntilMs = performance.now() + treated.muteMs;
  }

  #onAnswer(fromBroker: Buffer): void {
    const proxy = this.#proxy;
    const id = answeredId(fromBroker);
    const { head, treated } = this.#asked.get(id) ?? {};
    this.#asked.delete(id);
    const frame = treated === undefined ? fromBroker : treated.answer(fromBroker);
    if (head?.apiKey === METADATA) redirect(frame, head, this.#redirect);
    if (head?.apiKey !== PRODUCE) {
      this.#lanes[1].send(frame);
      return;
    }
    if (proxy.swallowAnswers > 0) {
      proxy.swallowAnswers--;
      proxy.counters.swallowed++;
      this.reset();
      return;
    }
    if (proxy.disownAnswers > 0) {
      proxy.disownAnswers--;
      disown(frame, head);
    }
    proxy.counters.throttledMs += throttledMs(frame, head);
    this.#lanes[1].send(frame, proxy.produceDelayMs);
  }

  #end(): void {
    for (const lane of this.#lanes) lane.close();
    this.client.destroy();
    this.#broker.destroy();
    this.closed();
  }
}
