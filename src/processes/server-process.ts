// A server process from the inside: a device port on inherited descriptors, and the orders of the first process. It reads
// no settings of its own and opens no port.
import { FileWatch } from '../files/file-watch.ts';
import { DevicePort } from '../gateway/device-port.ts';
import { DeviceTlsFiles } from '../gateway/device-tls-files.ts';
import type { StopOrder } from '../gateway/gateway.ts';
import { logStopped } from '../gateway/stop-report.ts';
import { nothingToStop } from '../gateway/stop-result.ts';
import { Answering } from '../inspect/answering.ts';
import type { Asked } from '../inspect/questions.ts';
import type { Log } from '../log/log.ts';
import { createLogger } from '../log/logger.ts';
import type { ConnectionEvent } from '../server/connection-ledger.ts';
import { machineMs, type Order, type Report } from './messages.ts';
import { Outbox } from './outbox.ts';

/**
 * Runs until the order `stop`, or until the first process is gone.
 * @param withLogger gets the logger, which needs the settings of the order `start`
 */
export function runServerProcess(options: { version: string; withLogger: (log: Log) => void }): void {
  const { version, withLogger } = options;
  // A terminal's end and its Ctrl-C, and a service manager's SIGTERM, reach every process. Only the first one acts on them.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  let running: ServerProcess | undefined;
  process.on('message', (order: Order) => {
    if (order.type === 'start') {
      const log = createLogger(order.settings).ofProcess(order.index);
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
  readonly #log: Log;
  readonly #gatewayPid: number;
  readonly #events = new Outbox<ConnectionEvent>((events) => tell({ type: 'connections', events }));
  readonly #files: FileWatch;
  readonly #port: DevicePort | undefined;
  readonly #answering: Answering | undefined;
  #failure: unknown;
  #isOrphaned = false;
  #stopping: Promise<void> | undefined;

  constructor(
    { gatewayPid, settings, orphanedParts, maxSockets, tls, tokens }: Extract<Order, { type: 'start' }>,
    { log, version }: { log: Log; version: string },
  ) {
    this.#log = log;
    this.#gatewayPid = gatewayPid;
    this.#files = new FileWatch({ log });
    try {
      const tlsFiles = DeviceTlsFiles.open(settings, { files: this.#files, given: tls?.contents });
      this.#port = new DevicePort(settings, {
        log,
        version,
        files: this.#files,
        tokens,
        orphanedParts,
        gatewayPid,
        tls: tlsFiles && tls ? { files: tlsFiles, ticketSecret: tls.ticketSecret } : undefined,
        maxSockets: maxSockets ?? Number.POSITIVE_INFINITY,
        report: (event) => this.#events.push(event),
      });
      this.#answering = new Answering(this.#port.answers, log);
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
    this.#isOrphaned = true;
    this.#log.write('parent_gone', { gatewayPid: this.#gatewayPid });
    this.#stop();
  }

  on(order: Exclude<Order, { type: 'start' }>): void {
    switch (order.type) {
      case 'listen':
        void this.#reportEnd('listening', () => this.#port?.listen({ inherited: true }));
        break;
      case 'connections':
        for (const one of order.orders) this.#port?.handle(one);
        break;
      case 'figures':
        if (this.#port !== undefined)
          tell({ type: 'figures', request: order.request, figures: this.#port.figures() });
        break;
      case 'ask':
        void this.#answer(order.request, order.asked);
        break;
      case 'reload-files':
        void this.#files.reload();
        break;
      case 'log-level':
        this.#log.setLevel(order.level);
        break;
      case 'depart':
        this.#port?.depart(order.plan);
        break;
      case 'stop':
        this.#stop({ lateMs: machineMs() - order.givenAtMs, returnMs: order.returnMs });
        break;
    }
  }

  async #answer(request: number, asked: Asked): Promise<void> {
    tell({ type: 'answer', request, text: (await this.#answering?.answer(asked)) ?? null });
  }

  /** Only once: the order to stop and the end of the first process may both come. */
  #stop(order?: StopOrder): void {
    this.#stopping ??= this.#finish(order);
  }

  async #finish(order: StopOrder | undefined): Promise<void> {
    const result = (await this.#port?.stop(order)) ?? nothingToStop();
    this.#files.stop();
    this.#events.flush();
    // Nobody is left who could add up the results and log them.
    if (this.#isOrphaned) logStopped(result, this.#log);
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

function exit(log: Log, code: number): Promise<never> {
  return new Promise(() => log.flush(() => process.exit(code)));
}
