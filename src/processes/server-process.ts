// A server process from the inside: a gateway that gets its sockets and orders from the first process. It reads no
// settings of its own and listens on no port.
import type { Socket } from 'node:net';
import type { Settings } from '../config/settings.ts';
import { createGateway, type Gateway, type GatewayOptions, type StopResult } from '../gateway/gateway.ts';
import { createLogger, type Logger } from '../log/logger.ts';
import type { Connection } from '../server/connection.ts';
import { machineMs, type Order, type Report } from './messages.ts';

/**
 * Runs until the order `stop`, or until the first process is gone.
 * @param withLogger gets the logger, which needs the settings of the order `start`
 */
export function runServerProcess(options: { version: string; withLogger: (log: Logger) => void }): void {
  const { version, withLogger } = options;
  // A terminal's Ctrl-C and a service manager's SIGTERM reach every process. Only the first one acts on them.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {});
  let running: ServerProcess | undefined;
  process.on('message', (order: Order, socket: Socket | undefined) => {
    if (order.type === 'start') {
      const log = createLogger(order.settings).child({ process: order.index });
      withLogger(log);
      running = new ServerProcess(order.settings, { log, version, orphanedParts: order.orphanedParts });
      void running.start();
    } else running?.on(order, socket);
  });
  process.on('disconnect', () => {
    if (running === undefined) process.exit(1);
    running.orphaned();
  });
}

/** Time for the last report to leave. The first process may no longer read it. */
const TELL_TIMEOUT_MS = 500;

class ServerProcess {
  readonly #log: Logger;
  readonly #gateway: Gateway | undefined;
  readonly #numbers = new Map<Connection, number>();
  readonly #connections = new Map<number, Connection>();
  #failure: unknown;
  #stopping: Promise<void> | undefined;

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
      // If a stop interrupted the start, the stop reports how it ended.
      if (this.#stopping !== undefined) return;
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

  /** The first process is gone, so no order to stop will come. */
  orphaned(): void {
    this.#log.error('the first process is gone: stopping');
    this.#stop();
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
        this.#stop(machineMs() - order.givenAtMs);
        break;
    }
  }

  /** Only once: the order to stop and the end of the first process may both come. */
  #stop(lateMs = 0): void {
    this.#stopping ??= this.#finish(lateMs);
  }

  async #finish(lateMs: number): Promise<void> {
    const result: StopResult = (await this.#gateway?.stop(lateMs)) ?? { complete: true, unconfirmed: 0 };
    await told({ type: 'stopped', result });
    await exit(this.#log, result.complete ? 0 : 1);
  }

  #adopt(number: number, socket: Socket | undefined): void {
    // The device had gone before its socket arrived.
    if (socket === undefined || this.#gateway === undefined) {
      tell({ type: 'closed', number });
      return;
    }
    socket.on('error', () => socket.destroy());
    // A device that half-closes still waits for its replies. The option is lost on the way between processes.
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
  // If the first process is gone, nothing is sent: `disconnect` follows.
  if (process.connected) process.send?.(report, () => {});
}

/** Resolves when the report has left or cannot leave. */
function told(report: Report): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, TELL_TIMEOUT_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    if (process.connected && process.send !== undefined) process.send(report, done);
    else done();
  });
}

function exit(log: Logger, code: number): Promise<never> {
  return new Promise(() => log.flush(() => process.exit(code)));
}
