// The device side of one process: its acceptor, and the gateway behind it. It reports each event of a connection to the
// ledger, in this process or another, and carries out the ledger's orders.
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import { Acceptor, acceptorOptions, type ListenOn } from '../server/acceptor.ts';
import type { Connection } from '../server/connection.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import { DescriptorReserve } from '../server/descriptor-reserve.ts';
import { createGateway, type Gateway, type GatewayOptions, type StopResult } from './gateway.ts';
import { withAcceptor } from './gateway-snapshot.ts';

export interface DevicePortOptions extends Omit<GatewayOptions, 'events'> {
  /** Sockets that this process may have open. */
  readonly maxSockets: number;
  /** The answer to `asks` is an order `admit` or `refuse`, at once or later. */
  readonly report: (event: ConnectionEvent) => void;
}

export class DevicePort {
  readonly #acceptor: Acceptor;
  readonly #gateway: Gateway;
  readonly #descriptors: DescriptorReserve;
  readonly #report: (event: ConnectionEvent) => void;
  readonly #numbers = new Map<Connection, number>();
  readonly #connections = new Map<number, Connection>();

  /** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
  constructor(settings: Settings, { maxSockets, report, ...options }: DevicePortOptions) {
    this.#report = report;
    this.#gateway = createGateway(settings, {
      ...options,
      events: {
        identified: (connection) => this.#identified(connection),
        closed: (connection) => this.#closed(connection),
      },
    });
    this.#descriptors = new DescriptorReserve(options.log);
    this.#acceptor = new Acceptor(acceptorOptions(settings, maxSockets), {
      log: options.log,
      exhausted: () => this.#descriptors.exhausted,
      ask: (number, address) => {
        this.#gateway.connected();
        report({ type: 'asks', number, address });
      },
      take: (socket, number) => {
        const connection = this.#gateway.adopt(socket);
        this.#numbers.set(connection, number);
        this.#connections.set(number, connection);
      },
      gone: (number) => report({ type: 'closed', number }),
    });
  }

  /** Resolves when sockets can be served. Rejects if the spool is in use or cannot be used. */
  start(): Promise<void> {
    return this.#gateway.start();
  }

  /** Resolves with the address of the port; rejects with the system's error (EADDRINUSE, EACCES). */
  listen(on: ListenOn): ReturnType<Acceptor['listen']> {
    return this.#acceptor.listen(on);
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

  snapshot(): Snapshot {
    const snapshot = withAcceptor(this.#gateway.snapshot(), this.#acceptor);
    if (!this.#descriptors.exhausted) return snapshot;
    const reasons = [...snapshot.readiness.reasons, 'the process has run out of open files (ulimit -n)'];
    return { ...snapshot, readiness: { ready: false, reasons } };
  }

  /** As Gateway.stop(). */
  async stop(lateMs?: number): Promise<StopResult> {
    this.#acceptor.stop();
    const result = await this.#gateway.stop(lateMs);
    this.#acceptor.close();
    this.#descriptors.close();
    return result;
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
    this.#acceptor.released();
    this.#report({ type: 'closed', number });
  }
}
