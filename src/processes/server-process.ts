// One of several server processes, seen from inside: a gateway whose sockets and orders come from the first process.

import type { Socket } from 'node:net';
import type { Logger } from '../config/logger.ts';
import type { Settings } from '../config/settings.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../gateway.ts';
import type { Connection } from '../server/connection.ts';
import type { Order, Report } from './messages.ts';
import { shareOf } from './share.ts';

/** Runs until the first process says `stop`, or is gone. */
export function runServerProcess(
  settings: Settings,
  { log, version }: { log: Logger; version: string },
): void {
  // A terminal's Ctrl-C and a service manager's SIGTERM reach every process; what they mean is the first one's say.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {});
  let running: ServerProcess | undefined;
  process.on('message', (order: Order, socket: Socket | undefined) => {
    if (order.type === 'start') {
      const { index, processes, leftovers } = order;
      running = new ServerProcess(shareOf(settings, { index, processes }), {
        log: log.child({ process: index }),
        version,
        leftovers,
      });
      void running.start();
    } else running?.on(order, socket);
  });
  process.on('disconnect', () => {
    log.error('the first process is gone: stopping');
    if (running === undefined) process.exit(1);
    void running.stop().then(({ complete }) => exit(log, complete ? 0 : 1));
  });
}

class ServerProcess {
  readonly #log: Logger;
  readonly #gateway: Gateway | undefined;
  readonly #numbers = new Map<Connection, number>();
  readonly #connections = new Map<number, Connection>();
  #failure: unknown;

  constructor(settings: Settings, options: Omit<GatewayOptions, 'events'>) {
    this.#log = options.log;
    try {
      this.#gateway = createGateway(settings, {
        ...options,
        events: {
          identified: (connection) => this.#identified(connection),
          closed: (connection) => this.#closed(connection),
        },
      });
    } catch (error) {
      this.#failure = error;
    }
  }

  async start(): Promise<void> {
    try {
      if (this.#gateway === undefined) throw this.#failure;
      await this.#gateway.start();
      tell({ type: 'started' });
    } catch (error) {
      const { message, code, exitCode } = error as Error & { code?: unknown; exitCode?: unknown };
      tell({
        type: 'failed',
        message,
        code: typeof code === 'string' ? code : undefined,
        exitCode: typeof exitCode === 'number' ? exitCode : 1,
      });
      await exit(this.#log, 1);
    }
  }

  async stop() {
    return (await this.#gateway?.stop()) ?? { complete: true, unconfirmed: 0 };
  }

  on(order: Order, socket: Socket | undefined): void {
    switch (order.type) {
      case 'connection':
        this.#adopt(order.number, socket);
        break;
      case 'replaced':
        this.#connections.get(order.number)?.replaced();
        break;
      case 'snapshot':
        if (this.#gateway !== undefined)
          tell({ type: 'snapshot', request: order.request, snapshot: this.#gateway.snapshot() });
        break;
      case 'stop':
        void this.stop().then((result) => {
          tell({ type: 'stopped', result });
          return exit(this.#log, result.complete ? 0 : 1);
        });
        break;
      case 'start':
        break;
    }
  }

  #adopt(number: number, socket: Socket | undefined): void {
    // The device was gone before its socket arrived.
    if (socket === undefined || this.#gateway === undefined) {
      tell({ type: 'closed', number });
      return;
    }
    socket.on('error', () => socket.destroy());
    // A device that half-closes still waits for its replies; a handed-over socket has forgotten that.
    socket.allowHalfOpen = true;
    const connection = this.#gateway.adopt(socket);
    this.#numbers.set(connection, number);
    this.#connections.set(number, connection);
  }

  #identified(connection: Connection): void {
    const number = this.#numbers.get(connection);
    if (number === undefined) return;
    const { deviceId, frame } = connection;
    tell({ type: 'identified', number, zipcode: frame.zipcode, deviceId });
  }

  #closed(connection: Connection): void {
    const number = this.#numbers.get(connection);
    if (number === undefined) return;
    this.#numbers.delete(connection);
    this.#connections.delete(number);
    tell({ type: 'closed', number });
  }
}

function tell(report: Report): void {
  // Gone meanwhile: `disconnect` follows.
  if (process.connected) process.send?.(report, () => {});
}

function exit(log: Logger, code: number): Promise<never> {
  return new Promise(() => log.flush(() => process.exit(code)));
}
