// One server process as the first process sees it: starts it, starts it again with back-off after a crash, kills it if it
// does not answer, and stops it.
import { type ChildProcess, fork } from 'node:child_process';
import type { Figures } from '../admin/snapshot.ts';
import type { LogLevel, Settings } from '../config/settings.ts';
import { nothingToStop, type StopResult } from '../gateway/stop-result.ts';
import type { Respondent } from '../inspect/inspection.ts';
import { PendingAnswers } from '../inspect/pending-answers.ts';
import type { Asked } from '../inspect/questions.ts';
import type { Log } from '../log/log.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import type { DeparturePlan } from '../server/departures.ts';
import { backoffMs } from '../time/backoff.ts';
import { machineMs, type Order, type Report, type TlsOfGroup } from './messages.ts';
import { Outbox } from './outbox.ts';
import { ProcessFigures } from './process-figures.ts';
import { SERVER_PROCESS_ARGUMENTS } from './server-process-flag.ts';
import { leftBy } from './sum.ts';

export interface ProcessEvents {
  connection(event: ConnectionEvent): void;
  /**
   * The process crashed, and its connections with it. `last` are its latest figures. If there are none and the process
   * had `served` devices, nobody knows what it had accepted.
   */
  crashed(last: Figures | undefined, served: boolean): void;
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
  /** The one at present, which may differ from that of the settings. */
  readonly logLevel: () => LogLevel;
  /** Null without a TLS port. */
  readonly tls: () => TlsOfGroup | null;
  /** The latest valid content of TCP_TOKENS_FILE. Null if tokens are off. */
  readonly tokens: () => string | null;
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

const RESTART = { firstMs: 100, maxMs: 10_000 };
/** A process that ran for so long did not crash at its start, so the back-off begins again. */
const STABLE_MS = 10_000;
/** A process stands still for a snapshot of its heap: 15 MB of small objects a second. */
const HEAP_SNAPSHOT_MS = 180_000;

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

export class ProcessHandle implements Respondent {
  readonly index: number;
  readonly #share: ProcessShare;
  readonly #events: ProcessEvents;
  readonly #log: Log;
  readonly #figures = new ProcessFigures((request) => this.#tell({ type: 'figures', request }));
  readonly #answers = new PendingAnswers();
  readonly #orders = new Outbox<ConnectionOrder>((orders) => this.#tell({ type: 'connections', orders }));
  #child: ChildProcess | undefined;
  #ready = false;
  #listens = false;
  #listening: Waiting | undefined;
  #stopping = false;
  /** Its devices are told to go: it is not started again. */
  #departing = false;
  #failures = 0;
  #startedAtMs = 0;
  /** Until then a process that does not answer may be taking a heap snapshot. */
  #patientUntilMs = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #result: StopResult | undefined;

  constructor(share: ProcessShare, { events, log }: { events: ProcessEvents; log: Log }) {
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

  reloadFiles(): void {
    this.#tell({ type: 'reload-files' });
  }

  setLogLevel(level: LogLevel): void {
    this.#tell({ type: 'log-level', level });
  }

  /** Accepts nothing more, and begins to tell its devices to go. */
  depart(plan: DeparturePlan): void {
    this.#departing = true;
    clearTimeout(this.#restartTimer);
    this.#tell({ type: 'depart', plan });
  }

  order(order: ConnectionOrder): void {
    if (this.#child !== undefined) this.#orders.push(order);
  }

  /** True if the process runs and has not answered the poll before the last one. */
  get late(): boolean {
    return this.#ready && this.#figures.isLate;
  }

  /**
   * To be called once a beat, and every LATE_POLL_MS while the process is late: asks for the figures, and kills a process
   * that does not answer for 10 s.
   */
  poll(): void {
    if (!this.#ready) return;
    this.#figures.poll();
    if (!this.#figures.areLost || this.#child?.killed || performance.now() < this.#patientUntilMs) return;
    this.#log.write('process_hung', { process: this.index, childPid: this.pid });
    this.#child?.kill('SIGKILL');
  }

  /** The figures of the process: the latest known if it does not answer at once, undefined if it never has. */
  figures(): Promise<Figures | undefined> {
    return this.#ready ? this.#figures.read() : Promise.resolve(this.#figures.latest);
  }

  /** At most a beat old. Undefined if the process does not run or does not answer. */
  get latest(): Figures | undefined {
    return this.#ready && !this.degraded ? this.#figures.latest : undefined;
  }

  /** Null at once from a process that does not run, or has not answered for 2 s. */
  async ask(asked: Asked): Promise<string | null> {
    if (!this.#ready || this.degraded) return null;
    const profile = asked.name === 'profile' ? asked.question : undefined;
    if (profile?.do === 'begin' && profile.kind === 'heap')
      this.#patientUntilMs = performance.now() + HEAP_SNAPSHOT_MS;
    const answer = await this.#answers.ask((request) => this.#tell({ type: 'ask', request, asked }));
    if (profile?.do === 'end' && answer !== null) this.#patientUntilMs = 0;
    return answer;
  }

  /**
   * Ends the process in order, by force after `timeoutMs`. Without its report the result is unknown.
   * @param returnMs as StopOrder.returnMs
   */
  async stop(timeoutMs: number, returnMs?: number): Promise<StopResult> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child === undefined) return nothingToStop();
    const served = this.#ready;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#tell({ type: 'stop', givenAtMs: machineMs(), returnMs });
    let killed = false;
    const force = setTimeout(() => {
      killed = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    await gone;
    clearTimeout(force);
    if (this.#result !== undefined) return this.#result;
    // A SIGTERM to the whole group can end a process that does not ignore it yet. The process had no connection then.
    if (!served) return nothingToStop();
    const { open, inFlight } = this.#figures.latest?.records ?? {};
    this.#log.write(killed ? 'process_killed_at_stop' : 'process_ended_before_stop', {
      process: this.index,
      lastSeen: { open, inFlight },
    });
    const { records, spoolBytes } = leftBy(this.#figures.latest);
    return { complete: false, unconfirmed: 'unknown', refusal: null, records, spoolBytes };
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
    const { index, settings, maxSockets, orphanedParts, listeners, logLevel, tls, tokens } = this.#share;
    let child: ChildProcess;
    try {
      child = fork(process.argv[1] as string, SERVER_PROCESS_ARGUMENTS, {
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
      this.#log.write('process_failed', { err: error, process: index });
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
      gatewayPid: process.pid,
      settings: { ...settings, LOG_LEVEL: logLevel() },
      orphanedParts: orphanedParts(),
      maxSockets: Number.isFinite(maxSockets) ? maxSockets : null,
      tls: tls(),
      tokens: tokens(),
    });
  }

  /** The process has ended, or could not be made. */
  #ended(first: Waiting, { how, reason, failure }: ProcessEnd): void {
    const wasReady = this.#ready;
    this.#child = undefined;
    this.#ready = false;
    this.#orders.clear();
    this.#figures.end();
    this.#answers.end();
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
    this.#patientUntilMs = 0;
    // At once: if the process crashed before the first request, its records would be unknown.
    this.#figures.poll();
    if (this.#listens && !this.#departing) this.#tell({ type: 'listen' });
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
      case 'figures':
        this.#figures.take(report.request, report.figures);
        break;
      case 'answer':
        this.#answers.take(report.request, report.text);
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
    const crash = { process: this.index, how: String(how), reason };
    if (this.#departing) this.#log.write('process_crashed_leaving', crash);
    else this.#log.write('process_crashed', { ...crash, restartInMs: Math.round(delayMs) });
    this.#events.crashed(this.#figures.latest, served);
    this.#figures.forget();
    if (this.#departing) return;
    this.#restartTimer = setTimeout(() => {
      const isBack = () => this.#log.write('process_returned', { process: this.index });
      this.#fork({ resolve: isBack, reject: () => {} });
    }, delayMs);
  }
}
