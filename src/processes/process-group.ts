// All server processes: starts them together, keeps asking whether they answer, and stops them together. It counts
// neither connections nor records.
import type { HungProcess } from '../admin/figures.ts';
import type { LiveProcess } from '../admin/live/live.ts';
import type { ProcessSnapshot } from '../admin/per-process.ts';
import type { Figures } from '../admin/snapshot.ts';
import type { LogLevel, Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/stop-result.ts';
import type { Respondent } from '../inspect/inspection.ts';
import type { Log } from '../log/log.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import type { DeparturePlan } from '../server/departures.ts';
import { orphanedPartsFor } from '../spool/parts.ts';
import { beat } from '../time/beat.ts';
import type { TlsOfGroup } from './messages.ts';
import { LATE_POLL_MS } from './process-figures.ts';
import { ProcessHandle } from './process-handle.ts';
import { shareOf } from './share.ts';
import { sumOfStops } from './sum.ts';

export interface GroupOptions {
  readonly processes: number;
  /** Sockets that each process may have open. */
  readonly maxSockets: number;
  /** The listening descriptors that each process inherits. */
  readonly listeners: () => readonly number[];
  /** The one at present. */
  readonly logLevel: () => LogLevel;
  /** Null without a TLS port. */
  readonly tls: () => TlsOfGroup | null;
  /** As ProcessShare.tokens. */
  readonly tokens: () => string | null;
  readonly events: GroupEvents;
  readonly log: Log;
}

export interface GroupEvents {
  connection(process: number, event: ConnectionEvent): void;
  /** As ProcessEvents.crashed. */
  crashed(process: number, last: Figures | undefined, served: boolean): void;
}

/** Time past SHUTDOWN_TIMEOUT before a process that did not end by itself is killed. */
const FORCE_AFTER_MS = 1000;

export class ProcessGroup {
  readonly #handles: readonly ProcessHandle[];
  readonly #stopTimeoutMs: number;
  readonly #endBeat: () => void;
  #lateTimer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(
    settings: Settings,
    { processes, maxSockets, listeners, logLevel, tls, tokens, events, log }: GroupOptions,
  ) {
    this.#stopTimeoutMs = settings.SHUTDOWN_TIMEOUT + FORCE_AFTER_MS;
    this.#handles = Array.from({ length: processes }, (_, index) => {
      const share = {
        index,
        settings: shareOf(settings, { index, processes }),
        orphanedParts: () => orphanedPartsFor(index, { root: settings.SPOOL_DIR, processes }),
        maxSockets,
        listeners,
        logLevel,
        tls,
        tokens,
      };
      const own = {
        connection: (event: ConnectionEvent) => events.connection(index, event),
        crashed: (last: Figures | undefined, served: boolean) => events.crashed(index, last, served),
      };
      return new ProcessHandle(share, { events: own, log });
    });
    // Before the ticker follows: it reads the figures that this asks for.
    this.#endBeat = beat.follow(() => this.#poll(({ late }) => !late));
  }

  get pids(): (number | undefined)[] {
    return this.#handles.map(({ pid }) => pid);
  }

  /** The processes, to be asked about their connections and themselves. */
  get respondents(): readonly Respondent[] {
    return this.#handles;
  }

  /** Each process with its latest figures, without asking for newer ones. */
  get latest(): LiveProcess[] {
    return this.#handles.map(({ index, pid, latest }) => ({ index, pid, figures: latest }));
  }

  get configured(): number {
    return this.#handles.length;
  }

  get running(): number {
    return this.#handles.filter(({ ready }) => ready).length;
  }

  /** The processes that run and do not answer. */
  get hung(): HungProcess[] {
    return this.#handles.filter(({ degraded }) => degraded).map(({ index, pid }) => ({ index, pid }));
  }

  /** Resolves when all processes can serve devices. Rejects with ProcessStartError if one cannot. */
  async start(): Promise<void> {
    // A second signal ends this process at once, and the others with it.
    process.once('exit', () => {
      if (this.#stopping) this.kill();
    });
    await this.#together((handle) => handle.start());
  }

  /** Resolves when all processes accept connections. Rejects with ProcessStartError if one cannot. */
  listen(): Promise<void> {
    return this.#together((handle) => handle.listen());
  }

  reloadFiles(): void {
    for (const handle of this.#handles) handle.reloadFiles();
  }

  setLogLevel(level: LogLevel): void {
    for (const handle of this.#handles) handle.setLogLevel(level);
  }

  depart(plan: DeparturePlan): void {
    for (const handle of this.#handles) handle.depart(plan);
  }

  order(process: number, order: ConnectionOrder): void {
    this.#handles[process]?.order(order);
  }

  /** Each process, with its figures if it has given any. */
  snapshots(): Promise<ProcessSnapshot[]> {
    return Promise.all(
      this.#handles.map(async (handle) => {
        const snapshot = await handle.figures();
        return { name: `${handle.index}`, answers: handle.ready && !handle.degraded, snapshot };
      }),
    );
  }

  /** @param returnMs as StopOrder.returnMs */
  async stop(returnMs: number): Promise<StopResult> {
    this.#stopping = true;
    this.#endPolls();
    const stops = this.#handles.map((handle) => handle.stop(this.#stopTimeoutMs, returnMs));
    return sumOfStops(await Promise.all(stops));
  }

  kill(): void {
    this.#endPolls();
    for (const handle of this.#handles) handle.kill();
  }

  #poll(which: (handle: ProcessHandle) => boolean): void {
    for (const handle of this.#handles.filter(which)) handle.poll();
    if (!this.#handles.some(({ late }) => late)) return;
    this.#lateTimer ??= setTimeout(() => {
      this.#lateTimer = undefined;
      this.#poll(({ late }) => late);
    }, LATE_POLL_MS);
  }

  #endPolls(): void {
    this.#endBeat();
    clearTimeout(this.#lateTimer);
  }

  async #together(what: (handle: ProcessHandle) => Promise<void>): Promise<void> {
    try {
      await Promise.all(this.#handles.map(what));
    } catch (error) {
      // During a stop, each process ends in order by itself.
      if (!this.#stopping) this.kill();
      throw error;
    }
  }
}
