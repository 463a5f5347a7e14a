// The device side of one process: its acceptor, its TLS stage, and the gateway behind them. It reports each event of a
// connection to the ledger, in this process or another, and carries out the ledger's orders.
import type { Figures } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { Answers } from '../inspect/questions.ts';
import { Acceptor, acceptorOptions, type PortAddresses } from '../server/acceptor.ts';
import type { Connection } from '../server/connection.ts';
import { type ConnectionFacts, factsOfArrival } from '../server/connection-facts.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import type { DeparturePlan } from '../server/departures.ts';
import { DescriptorReserve } from '../server/descriptor-reserve.ts';
import { INHERITED } from '../server/listening-handle.ts';
import { proxyStage } from '../server/proxy-stage.ts';
import type { Admitted, Arrival } from '../server/stage.ts';
import { listening } from '../start/listen-error.ts';
import { createGateway, type Gateway, type GatewayOptions, type StopOrder } from './gateway.ts';
import { withAcceptor } from './gateway-snapshot.ts';
import type { StopResult } from './stop-result.ts';
import { TlsPort, type TlsPortDeps } from './tls-port.ts';

export interface DevicePortOptions extends Omit<GatewayOptions, 'events' | 'arrivals'> {
  /** Sockets that this process may have open. */
  readonly maxSockets: number;
  /** The answer to `asks` is an order `admit` or `refuse`, at once or later. */
  readonly report: (event: ConnectionEvent) => void;
  /** With TCP_TLS_PORT. */
  readonly tls?: TlsPortDeps | undefined;
}

export class DevicePort {
  readonly #settings: Settings;
  readonly #acceptor: Acceptor;
  readonly #tls: TlsPort | undefined;
  readonly #gateway: Gateway;
  readonly #descriptors: DescriptorReserve;
  readonly #report: (event: ConnectionEvent) => void;
  readonly #numbers = new Map<Connection, number>();
  readonly #connections = new Map<number, Connection>();

  /** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
  constructor(settings: Settings, { maxSockets, report, tls, ...options }: DevicePortOptions) {
    this.#settings = settings;
    this.#report = report;
    this.#gateway = createGateway(settings, {
      ...options,
      arrivals: () => this.#arrivals(),
      events: {
        identified: (connection) => this.#identified(connection),
        closed: (connection) => this.#closed(connection),
      },
    });
    this.#tls = tls && new TlsPort(settings, tls, this.#gateway.stageHost);
    this.#descriptors = new DescriptorReserve(options.log);
    this.#acceptor = new Acceptor(acceptorOptions(settings, maxSockets), {
      log: options.log,
      exhausted: () => this.#descriptors.exhausted,
      proxy: proxyStage(settings, this.#gateway.stageHost),
      ask: (number, address) => {
        this.#gateway.connected();
        report({ type: 'asks', number, address });
      },
      take: (arrival, number) => this.#take(arrival, number),
      gone: (number) => report({ type: 'closed', number }),
    });
  }

  get answers(): Answers {
    return this.#gateway.answers;
  }

  /** Resolves when sockets can be served. Rejects if the spool is in use or cannot be used. */
  start(): Promise<void> {
    return this.#gateway.start();
  }

  /** Resolves with the addresses of the ports; rejects with ListenError. */
  async listen({ inherited }: { inherited: boolean }): Promise<PortAddresses> {
    const { TCP_HOST: host, TCP_PORT: plain, TCP_TLS_PORT: tls } = this.#settings;
    const { firstFd, copies } = INHERITED;
    const on = (port: number, inheritedFrom: number) => (inherited ? { inheritedFrom } : { host, port });
    const tlsFd = firstFd + (plain === null ? 0 : copies);
    return {
      tcp:
        plain === null
          ? null
          : await listening({ setting: 'TCP_PORT', host, port: plain }, () =>
              this.#acceptor.listen(on(plain, firstFd)),
            ),
      tls:
        tls === null
          ? null
          : await listening({ setting: 'TCP_TLS_PORT', host, port: tls }, () =>
              this.#acceptor.listen(on(tls, tlsFd), 'tls'),
            ),
    };
  }

  handle(order: ConnectionOrder): void {
    switch (order.type) {
      case 'admit':
        this.#acceptor.admit(order.number, order.afterMs);
        break;
      case 'refuse':
        this.#acceptor.refuse(order.number, order.reason);
        break;
      case 'replace':
        this.#connections.get(order.number)?.replaced(order.message, order.reconnectAfterMs);
        break;
    }
  }

  figures(): Figures {
    const tls = this.#tls && { size: this.#tls.stage.size, figures: this.#tls.figures() };
    const figures = withAcceptor(this.#gateway.figures(), this.#acceptor, tls);
    const outOfFiles = Number(this.#descriptors.exhausted);
    return { ...figures, connections: { ...figures.connections, outOfFiles } };
  }

  /** Accepts no further connection, and begins to tell the devices to go. */
  depart(plan: DeparturePlan): void {
    this.#acceptor.stop();
    this.#gateway.depart(plan);
  }

  /** As Gateway.stop(). */
  async stop(order?: StopOrder): Promise<StopResult> {
    this.#acceptor.stop();
    this.#tls?.close();
    const result = await this.#gateway.stop(order);
    this.#acceptor.close();
    this.#descriptors.close();
    return result;
  }

  /** Accepted, and not served yet. */
  *#arrivals(): Iterable<ConnectionFacts> {
    yield* this.#acceptor.arrivals();
    for (const arrival of this.#tls?.stage.arrivals() ?? []) yield factsOfArrival('tls', arrival);
  }

  /** The connection has its place. */
  #take(arrival: Arrival, number: number): void {
    if (arrival.port === 'plain' || this.#tls === undefined) {
      this.#serve(arrival, number);
      return;
    }
    this.#tls.stage.enter(arrival, (admitted) => {
      if (admitted !== undefined) this.#serve(admitted, number);
      else this.#left(number);
    });
  }

  #serve(admitted: Admitted, number: number): void {
    const connection = this.#gateway.adopt(admitted);
    this.#numbers.set(connection, number);
    this.#connections.set(number, connection);
  }

  #identified(connection: Connection): void {
    const number = this.#numbers.get(connection);
    const { deviceId, frame } = connection;
    if (number === undefined || frame === undefined) return;
    this.#report({ type: 'identified', number, zipcode: frame.zipcode, deviceId });
  }

  #closed(connection: Connection): void {
    const number = this.#numbers.get(connection);
    if (number === undefined) return;
    this.#numbers.delete(connection);
    this.#connections.delete(number);
    this.#left(number);
  }

  /** A connection that had a place has ended. */
  #left(number: number): void {
    this.#acceptor.released();
    this.#report({ type: 'closed', number });
  }
}
