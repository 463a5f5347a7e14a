// One server process as the first process sees it: starts it, starts it again with back-off after a crash, asks for its
// figures and stops it.
import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';
import type { Logger } from '../log/logger.ts';
import { backoffMs } from '../time/backoff.ts';
import { machineMs, type Order, type Report } from './messages.ts';

export interface ProcessEvents {
  identified(number: number, device: { zipcode: string; deviceId: string | undefined }): void;
  closed(number: number): void;
  /**
   * The process crashed, and its connections with it. `last` is its latest snapshot. If there is none and the process
   * had `served` devices, nobody knows what it had accepted.
   */
  crashed(last: Snapshot | undefined, served: boolean): void;
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
const ANSWER_TIMEOUT_MS = 1000;
const NOTHING_LEFT: StopResult = { complete: true, unconfirmed: 0 };

export class ProcessHandle {
  readonly index: number;
  readonly #orphanedParts: () => string[];
  readonly #settings: Settings;
  readonly #events: ProcessEvents;
  readonly #log: Logger;
  readonly #onTheirWay = new Set<Socket>();
  readonly #requests = new Map<number, (snapshot: Snapshot) => void>();
  #child: ChildProcess | undefined;
  #ready = false;
  #answers = true;
  #stopping = false;
  #failures = 0;
  #startedAtMs = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #nextRequest = 0;
  #latest: Snapshot | undefined;
  #result: StopResult | undefined;

  /**
   * @param settings the share of this process, the same for each start
   * @param orphanedParts directories of former processes that this process sends to Kafka
   */
  constructor(
    { index, settings, orphanedParts }: { index: number; settings: Settings; orphanedParts: () => string[] },
    { events, log }: { events: ProcessEvents; log: Logger },
  ) {
    this.index = index;
    this.#settings = settings;
    this.#orphanedParts = orphanedParts;
    this.#events = events;
    this.#log = log;
  }

  /** True while the process takes connections. */
  get ready(): boolean {
    return this.#ready;
  }

  /** False if the process did not answer the last request for its figures, so the known ones are old. */
  get answers(): boolean {
    return this.#answers;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the process takes connections. Rejects with ProcessStartError. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => this.#fork(resolve, reject));
  }

  /** False if the process cannot take the connection. */
  take(number: number, socket: Socket): boolean {
    if (!this.#ready || this.#child === undefined) return false;
    this.#onTheirWay.add(socket);
    this.#child.send({ type: 'connection', number } satisfies Order, socket, () => {
      this.#onTheirWay.delete(socket);
    });
    return true;
  }

  tell(order: Order): void {
    if (this.#child?.connected) this.#child.send(order, () => {});
  }

  /** The figures of the process: the latest known if it does not answer in time, undefined if it never has. */
  snapshot(): Promise<Snapshot | undefined> {
    if (!this.#ready) return Promise.resolve(this.#latest);
    const request = this.#nextRequest++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#requests.delete(request);
        this.#answers = false;
        resolve(this.#latest);
      }, ANSWER_TIMEOUT_MS);
      this.#requests.set(request, (snapshot) => {
        clearTimeout(timer);
        resolve(snapshot);
      });
      this.tell({ type: 'snapshot', request });
    });
  }

  /** Ends the process in order, by force after `timeoutMs`. Without its report the result is unknown. */
  async stop(timeoutMs: number): Promise<StopResult> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child === undefined) return NOTHING_LEFT;
    const served = this.#ready;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.tell({ type: 'stop', givenAtMs: machineMs() });
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
    const { open, inFlight } = this.#latest?.records ?? {};
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

  #fork(started: () => void, failed: (error: Error) => void): void {
    const child = fork(process.argv[1] as string, ['serve', SERVER_PROCESS_FLAG]);
    this.#child = child;
    this.#startedAtMs = performance.now();
    let failure: ProcessStartError | undefined;
    child.on('error', (error) =>
      this.#log.error({ err: error, process: this.index }, 'Server process failed'),
    );
    child.on('message', (report: Report) => {
      if (report.type === 'started') {
        this.#ready = true;
        // At once: if the process crashed before the first request, its records would be unknown.
        void this.snapshot();
        started();
      } else if (report.type === 'failed') failure = new ProcessStartError(report.message, report);
      else this.#on(report);
    });
    child.once('exit', (code, signal) => {
      const wasReady = this.#ready;
      this.#child = undefined;
      this.#ready = false;
      this.#answers = true;
      for (const answer of this.#requests.values()) if (this.#latest) answer(this.#latest);
      this.#requests.clear();
      for (const socket of this.#onTheirWay) socket.destroy();
      this.#onTheirWay.clear();
      const isFirstStart = !wasReady && this.#failures === 0;
      if (!this.#stopping && !isFirstStart) this.#crashed(signal ?? code, wasReady, failure?.message);
      else failed(failure ?? new ProcessStartError('a server process ended at its start', { exitCode: 1 }));
    });
    const orphanedParts = this.#orphanedParts();
    this.tell({ type: 'start', index: this.index, settings: this.#settings, orphanedParts });
  }

  #on(report: Report): void {
    switch (report.type) {
      case 'identified':
        this.#events.identified(report.number, report);
        break;
      case 'closed':
        this.#events.closed(report.number);
        break;
      case 'snapshot':
        this.#latest = report.snapshot;
        this.#answers = true;
        this.#requests.get(report.request)?.(report.snapshot);
        this.#requests.delete(report.request);
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
    this.#events.crashed(this.#latest, served);
    this.#latest = undefined;
    this.#restartTimer = setTimeout(() => {
      const isBack = () => this.#log.info({ process: this.index }, 'The server process is back');
      this.#fork(isBack, () => {});
    }, delayMs);
  }
}
