// One of several server processes, seen from inside: a gateway whose sockets and orders come from the first process.

import type { Socket } from 'node:net';
import type { Settings } from '../config/settings.ts';
import { createGateway, type Gateway, type GatewayOptions, type StopResult } from '../gateway/gateway.ts';
import { createLogger, type Logger } from '../log/logger.ts';
import type { Connection } from '../server/connection.ts';
import { machineMs, type Order, type Report } from './messages.ts';

/**
 * Runs until the first process says `stop`, or is gone. Everything else it needs comes with the order to start.
 * @param withLogger called with the logger once there is one
 */
export function runServerProcess({
  version,
  withLogger,
}: {
  version: string;
  withLogger: (log: Logger) => void;
}): void {
  // A terminal's Ctrl-C and a service manager's SIGTERM reach every process; what they mean is the first one's say.
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

/** For a first process that does not read what it is told. */
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
      // A start that was broken off by a stop is no failure; the stop tells how it ended.
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

  /** The first process is gone: nobody else will say that this one has to stop. */
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
      case 'start':
        break;
    }
  }

  /** Once, whoever asks for it: the order to stop may be followed by the end of the one who gave it. */
  #stop(lateMs = 0): void {
    this.#stopping ??= this.#finish(lateMs);
  }

  async #finish(lateMs: number): Promise<void> {
    const result: StopResult = (await this.#gateway?.stop(lateMs)) ?? { complete: true, unconfirmed: 0 };
    await told({ type: 'stopped', result });
    await exit(this.#log, result.complete ? 0 : 1);
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
  // If the first process is gone, `disconnect` follows.
  if (process.connected) process.send?.(report, () => {});
}

/** Resolves once the report has left, or cannot leave. */
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
