// The device side of one process: its acceptor, its TLS stage, and the gateway behind them. It reports each event of a
// connection to the ledger, in this process or another, and carries out the ledger's orders.
import type { Figures } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { Answers } from '../inspect/questions.ts';
import type { PresenceState } from '../protocol/presence-state.ts';
import { Acceptor, acceptorOptions, type PortAddresses } from '../server/acceptor.ts';
import type { Connection } from '../server/connection.ts';
import { type ConnectionFacts, factsOfArrival } from '../server/connection-facts.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import type { DeparturePlan } from '../server/departures.ts';
import { DescriptorReserve } from '../server/descriptor-reserve.ts';
import { INHERITED } from '../server/listening-handle.ts';
import { PLAIN_PORT, type Port, TLS_PORT } from '../server/port.ts';
import { proxyStage } from '../server/proxy-stage.ts';
import type { Admitted, Arrival } from '../server/stage.ts';
import { type DevicePortSetting, listening } from '../start/listen-error.ts';
import { createGateway, type Gateway, type GatewayOptions, type StopOrder } from './gateway.ts';
import { withAcceptor } from './gateway-snapshot.ts';
import { linesPort } from './lines-port.ts';
import { closedState, connectedState, identifiedState } from './presence-states.ts';
import type { StopResult } from './stop-result.ts';
import { TlsPort, type TlsPortDeps } from './tls-port.ts';

export interface DevicePortOptions extends Omit<GatewayOptions, 'events' | 'arrivals'> {
  /** Sockets that this process may have open. */
  readonly maxSockets: number;
  /** The answer to `asks` is an order `admit` or `refuse`, at once or later. */
  readonly report: (event: ConnectionEvent) => void;
  /** With TCP_TLS_PORT or TCP_LINES_TLS. */
  readonly tls?: TlsPortDeps | undefined;
}

export class DevicePort {
  readonly #settings: Settings;
  readonly #acceptor: Acceptor;
  readonly #tls: TlsPort | undefined;
  readonly #gateway: Gateway;
  readonly #descriptors: DescriptorReserve;
  readonly #tellsPresence: boolean;
  readonly #report: (event: ConnectionEvent) => void;
  readonly #connections = new Map<number, Connection>();

  /** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
  constructor(settings: Settings, { maxSockets, report, tls, ...options }: DevicePortOptions) {
    this.#settings = settings;
    this.#report = report;
    this.#tellsPresence = settings.KAFKA_TOPIC_PRESENCE !== null;
    this.#gateway = createGateway(settings, {
      ...options,
      arrivals: () => this.#arrivals(),
      events: {
        identified: (connection, resumes) => this.#identified(connection, resumes),
        ended: (connection, by) => this.#tell(connection, (number) => ({ type: 'ended', number, by })),
        settled: (connection, storedSeq) =>
          this.#tell(connection, (number) => ({ type: 'settled', number, storedSeq: storedSeq ?? null })),
        closed: (connection) => this.#closed(connection),
      },
    });
    this.#tls = tls && new TlsPort(settings, tls, this.#gateway.stageHost);
    this.#descriptors = new DescriptorReserve(options.log);
    this.#acceptor = new Acceptor(acceptorOptions(settings, maxSockets), {
      log: options.log,
      hasDescriptor: (descriptor) => this.#descriptors.accepted(descriptor),
      exhausted: () => this.#descriptors.exhausted,
      proxy: proxyStage(settings, this.#gateway.stageHost),
      untrusted: ({ address }) => this.#gateway.stageHost.untrusted(address),
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
    const { TCP_HOST: host } = this.#settings;
    let inheritedFrom: number = INHERITED.firstFd;
    const open = async (setting: DevicePortSetting, kind: Port) => {
      const port = this.#settings[setting];
      if (port === null) return null;
      const on = inherited ? { inheritedFrom } : { host, port };
      inheritedFrom += INHERITED.copies;
      return listening({ setting, host, port }, () => this.#acceptor.listen(on, kind));
    };
    return {
      tcp: await open('TCP_PORT', PLAIN_PORT),
      tls: await open('TCP_TLS_PORT', TLS_PORT),
      lines: await open('TCP_LINES_PORT', linesPort(this.#settings)),
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
        // A turn later: if the device has ended the connection, the ledger hears of that first.
        setImmediate(() =>
          this.#connections.get(order.number)?.replaced(order.message, order.reconnectAfterMs),
        );
        break;
      case 'resumed':
        // Not within the call of the worker that made the connection ask.
        queueMicrotask(() => this.#connections.get(order.number)?.resumed(order.storedSeq ?? undefined));
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
    if (!arrival.port.isTls || this.#tls === undefined) {
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
    connection.number = number;
    this.#connections.set(number, connection);
    // A sender of plain lines is no device.
    if (this.#tellsPresence && connection.plain === undefined)
      this.#report({ type: 'served', number, presence: connectedState(connection) });
  }

  #identified(connection: Connection, resumes: boolean): void {
    const { deviceId, frame } = connection;
    if (frame === undefined) return;
    const { zipcode } = frame;
    const presence = this.#tellsPresence ? identifiedState(connection) : undefined;
    this.#tell(connection, (number) => ({
      type: 'identified',
      number,
      zipcode,
      deviceId,
      resumes,
      presence,
    }));
  }

  #tell(connection: Connection, event: (number: number) => ConnectionEvent): void {
    const { number } = connection;
    if (number !== undefined) this.#report(event(number));
  }

  #closed(connection: Connection): void {
    const { number } = connection;
    if (number === undefined) return;
    this.#connections.delete(number);
    this.#left(number, this.#tellsPresence ? closedState(connection) : undefined);
  }

  /** A connection that had a place has ended. */
  #left(number: number, presence?: PresenceState): void {
    this.#acceptor.released();
    this.#report({ type: 'closed', number, presence });
  }
}
