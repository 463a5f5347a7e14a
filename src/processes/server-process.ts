// A server process from the inside: a device port on inherited descriptors, and the orders of the first process. It reads
// no settings of its own and opens no port.
import { DevicePort } from '../gateway/device-port.ts';
import type { StopResult } from '../gateway/gateway.ts';
import { createLogger, type Logger } from '../log/logger.ts';
import type { ConnectionEvent } from '../server/connection-ledger.ts';
import { machineMs, type Order, type Report } from './messages.ts';
import { Outbox } from './outbox.ts';

/**
 * Runs until the order `stop`, or until the first process is gone.
 * @param withLogger gets the logger, which needs the settings of the order `start`
 */
export function runServerProcess(options: { version: string; withLogger: (log: Logger) => void }): void {
  const { version, withLogger } = options;
  // A terminal's Ctrl-C and a service manager's SIGTERM reach every process. Only the first one acts on them.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {});
  let running: ServerProcess | undefined;
  process.on('message', (order: Order) => {
    if (order.type === 'start') {
      const log = createLogger(order.settings).child({ process: order.index });
      withLogger(log);
      running = new ServerProcess(order, { log, version });
      void running.start();
    } else running?.on(order);
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
  readonly #events = new Outbox<ConnectionEvent>((events) => tell({ type: 'connections', events }));
  readonly #port: DevicePort | undefined;
  #failure: unknown;
  #stopping: Promise<void> | undefined;

  constructor(
    { settings, orphanedParts, maxSockets }: Extract<Order, { type: 'start' }>,
    { log, version }: { log: Logger; version: string },
  ) {
    this.#log = log;
    try {
      this.#port = new DevicePort(settings, {
        log,
        version,
        orphanedParts,
        maxSockets: maxSockets ?? Number.POSITIVE_INFINITY,
        report: (event) => this.#events.push(event),
      });
    } catch (error) {
      this.#failure = error;
    }
  }

  start(): Promise<void> {
    return this.#reportEnd('started', async () => {
      if (this.#port === undefined) throw this.#failure;
      await this.#port.start();
    });
  }

  /** The first process is gone, so no order to stop will come. */
  orphaned(): void {
    this.#log.error('the first process is gone: stopping');
    this.#stop();
  }

  on(order: Exclude<Order, { type: 'start' }>): void {
    switch (order.type) {
      case 'listen':
        void this.#reportEnd('listening', () => this.#port?.listen('inherited'));
        break;
      case 'connections':
        for (const one of order.orders) this.#port?.handle(one);
        break;
      case 'snapshot':
        if (this.#port !== undefined)
          tell({ type: 'snapshot', request: order.request, snapshot: this.#port.snapshot() });
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
    const result: StopResult = (await this.#port?.stop(lateMs)) ?? { complete: true, unconfirmed: 0 };
    await told({ type: 'stopped', result });
    await exit(this.#log, result.complete ? 0 : 1);
  }

  async #reportEnd(type: 'started' | 'listening', step: () => Promise<unknown> | undefined): Promise<void> {
    try {
      await step();
      tell({ type });
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
