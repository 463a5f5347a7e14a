// One server process as the first process sees it: starts it, starts it again with back-off after a crash, kills it if it
// does not answer, and stops it.
import { type ChildProcess, fork } from 'node:child_process';
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';
import type { Logger } from '../log/logger.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import { backoffMs } from '../time/backoff.ts';
import { machineMs, type Order, type Report } from './messages.ts';
import { Outbox } from './outbox.ts';
import { ProcessFigures } from './process-figures.ts';

export interface ProcessEvents {
  connection(event: ConnectionEvent): void;
  /**
   * The process crashed, and its connections with it. `last` is its latest snapshot. If there is none and the process
   * had `served` devices, nobody knows what it had accepted.
   */
  crashed(last: Snapshot | undefined, served: boolean): void;
}

/** Handed to a server process at each start. */
export interface ProcessShare {
  readonly index: number;
  /** The same for each start. */
  readonly settings: Settings;
  /** Directories of former processes that this process sends to Kafka. */
  readonly orphanedParts: () => string[];
  /** Sockets that it may have open. */
  readonly maxSockets: number;
  /** The listening descriptors that it inherits. */
  readonly listeners: () => readonly number[];
}

/** The first start of a server process failed. `exitCode` is the one for the whole program. */
export class ProcessStartError extends Error {
  readonly code: string | undefined;
  readonly exitCode: number;

  constructor(message: string, { code, exitCode }: { code?: string | undefined; exitCode: number }) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** The command line option that makes a process a server process. */
export const SERVER_PROCESS_FLAG = '--server-process';
const RESTART = { firstMs: 100, maxMs: 10_000 };
/** A process that ran for so long did not crash at its start, so the back-off begins again. */
const STABLE_MS = 10_000;
const NOTHING_LEFT: StopResult = { complete: true, unconfirmed: 0 };

interface ProcessEnd {
  readonly how: NodeJS.Signals | number | null;
  readonly reason: string | undefined;
  /** The reason that the process gave. */
  readonly failure?: ProcessStartError | undefined;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class ProcessHandle {
  readonly index: number;
  readonly #share: ProcessShare;
  readonly #events: ProcessEvents;
  readonly #log: Logger;
  readonly #figures = new ProcessFigures((request) => this.#tell({ type: 'snapshot', request }));
  readonly #orders = new Outbox<ConnectionOrder>((orders) => this.#tell({ type: 'connections', orders }));
  #child: ChildProcess | undefined;
  #ready = false;
  #listens = false;
  #listening: Waiting | undefined;
  #stopping = false;
  #failures = 0;
  #startedAtMs = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #result: StopResult | undefined;

  constructor(share: ProcessShare, { events, log }: { events: ProcessEvents; log: Logger }) {
    this.index = share.index;
    this.#share = share;
    this.#events = events;
    this.#log = log;
  }

  /** True while the process can serve devices. */
  get ready(): boolean {
    return this.#ready;
  }

  /** True if the process runs and has not answered for 2 s. */
  get degraded(): boolean {
    return this.#ready && !this.#figures.areFresh;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the process can serve devices. Rejects with ProcessStartError. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => this.#fork({ resolve, reject }));
  }

  /** Accepts connections from now on, also after a restart. Rejects with ProcessStartError. */
  listen(): Promise<void> {
    this.#listens = true;
    return new Promise((resolve, reject) => {
      this.#listening = { resolve, reject };
      this.#tell({ type: 'listen' });
    });
  }

  order(order: ConnectionOrder): void {
    if (this.#child !== undefined) this.#orders.push(order);
  }

  /** To be called every POLL_MS: asks for the figures, and kills a process that does not answer for 10 s. */
  poll(): void {
    if (!this.#ready) return;
    this.#figures.poll();
    if (!this.#figures.areLost || this.#child?.killed) return;
    this.#log.error(
      { process: this.index, pid: this.pid },
      'A server process has not answered for 10 s and is killed; what it had on disk is taken up, nothing confirmed is lost',
    );
    this.#child?.kill('SIGKILL');
  }

  /** The figures of the process: the latest known if it does not answer at once, undefined if it never has. */
  snapshot(): Promise<Snapshot | undefined> {
    return this.#ready ? this.#figures.read() : Promise.resolve(this.#figures.latest);
  }

  /** Ends the process in order, by force after `timeoutMs`. Without its report the result is unknown. */
  async stop(timeoutMs: number): Promise<StopResult> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child === undefined) return NOTHING_LEFT;
    const served = this.#ready;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#tell({ type: 'stop', givenAtMs: machineMs() });
    let killed = false;
    const force = setTimeout(() => {
      killed = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    await gone;
    clearTimeout(force);
    if (this.#result !== undefined) return this.#result;
    // A SIGTERM to the whole group can end a process that does not ignore it yet. The process had no connection then.
    if (!served) return NOTHING_LEFT;
    const { open, inFlight } = this.#figures.latest?.records ?? {};
    this.#log.error(
      { process: this.index, killed, lastSeen: { open, inFlight } },
      killed
        ? 'A server process did not stop in time and was killed; how many records it still held is not known'
        : 'A server process ended before it had stopped; how many records it still held is not known',
    );
    return { complete: false, unconfirmed: 'unknown' };
  }

  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    this.#child?.kill('SIGKILL');
  }

  #tell(order: Order): void {
    if (this.#child?.connected) this.#child.send(order, () => {});
  }

  #fork(first: Waiting): void {
    const { index, settings, maxSockets, orphanedParts, listeners } = this.#share;
    let child: ChildProcess;
    try {
      child = fork(process.argv[1] as string, ['serve', SERVER_PROCESS_FLAG], {
        stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...listeners()],
      });
    } catch (error) {
      // ENOMEM and the like. Other errors come as an event.
      this.#ended(first, { how: null, reason: (error as Error).message });
      return;
    }
    this.#child = child;
    this.#startedAtMs = performance.now();
    let failure: ProcessStartError | undefined;
    child.on('error', (error) => {
      this.#log.error({ err: error, process: index }, 'Server process failed');
      // No process was made (EAGAIN, EMFILE), so no `exit` follows.
      if (child.pid === undefined) this.#ended(first, { how: null, reason: error.message });
    });
    child.on('message', (report: Report) => {
      if (report.type === 'failed') failure = new ProcessStartError(report.message, report);
      else if (report.type === 'started') this.#started(first);
      // After the end of a process its connections and figures no longer count.
      else if (child === this.#child || report.type === 'stopped') this.#on(report);
    });
    child.once('exit', (code, signal) =>
      this.#ended(first, { how: signal ?? code, reason: failure?.message, failure }),
    );
    this.#tell({
      type: 'start',
      index,
      settings,
      orphanedParts: orphanedParts(),
      maxSockets: Number.isFinite(maxSockets) ? maxSockets : null,
    });
  }

  /** The process has ended, or could not be made. */
  #ended(first: Waiting, { how, reason, failure }: ProcessEnd): void {
    const wasReady = this.#ready;
    this.#child = undefined;
    this.#ready = false;
    this.#orders.clear();
    this.#figures.end();
    const isFirstStart = (!wasReady && this.#failures === 0) || this.#listening !== undefined;
    if (!this.#stopping && !isFirstStart) {
      this.#crashed(how, wasReady, reason);
      return;
    }
    const what = reason ?? 'a server process ended at its start';
    const error = failure ?? new ProcessStartError(what, { exitCode: 1 });
    first.reject(error);
    this.#listening?.reject(error);
    this.#listening = undefined;
  }

  #started({ resolve }: Waiting): void {
    this.#ready = true;
    // At once: if the process crashed before the first request, its records would be unknown.
    this.#figures.poll();
    if (this.#listens) this.#tell({ type: 'listen' });
    resolve();
  }

  #on(report: Exclude<Report, { type: 'failed' | 'started' }>): void {
    switch (report.type) {
      case 'listening':
        this.#listening?.resolve();
        this.#listening = undefined;
        break;
      case 'connections':
        for (const event of report.events) this.#events.connection(event);
        break;
      case 'snapshot':
        this.#figures.take(report.request, report.snapshot);
        break;
      case 'stopped':
        this.#result = report.result;
        break;
    }
  }

  #crashed(how: NodeJS.Signals | number | null, served: boolean, reason: string | undefined): void {
    if (performance.now() - this.#startedAtMs > STABLE_MS) this.#failures = 0;
    this.#failures++;
    const delayMs = backoffMs(this.#failures, RESTART);
    this.#log.error(
      { process: this.index, how, reason, restartInMs: Math.round(delayMs) },
      'A server process crashed, starting it again; what it had on disk is taken up, nothing confirmed is lost',
    );
    this.#events.crashed(this.#figures.latest, served);
    this.#figures.forget();
    this.#restartTimer = setTimeout(() => {
      const isBack = () => this.#log.info({ process: this.index }, 'The server process is back');
      this.#fork({ resolve: isBack, reject: () => {} });
    }, delayMs);
  }
}
