// All server processes: starts them together, keeps asking whether they answer, and stops them together. It counts
// neither connections nor records.
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';
import type { Logger } from '../log/logger.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import { orphanedPartsFor } from '../spool/parts.ts';
import { POLL_MS } from './process-figures.ts';
import { ProcessHandle } from './process-handle.ts';
import { shareOf } from './share.ts';

export interface GroupOptions {
  readonly processes: number;
  /** Sockets that each process may have open. */
  readonly maxSockets: number;
  /** The listening descriptors that each process inherits. */
  readonly listeners: () => readonly number[];
  readonly events: GroupEvents;
  readonly log: Logger;
}

export interface GroupEvents {
  connection(process: number, event: ConnectionEvent): void;
  /** As ProcessEvents.crashed. */
  crashed(process: number, last: Snapshot | undefined, served: boolean): void;
}

/** Time past SHUTDOWN_TIMEOUT before a process that did not end by itself is killed. */
const FORCE_AFTER_MS = 1000;

export class ProcessGroup {
  readonly #handles: readonly ProcessHandle[];
  readonly #stopTimeoutMs: number;
  #pollTimer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(settings: Settings, { processes, maxSockets, listeners, events, log }: GroupOptions) {
    this.#stopTimeoutMs = settings.SHUTDOWN_TIMEOUT + FORCE_AFTER_MS;
    this.#handles = Array.from({ length: processes }, (_, index) => {
      const share = {
        index,
        settings: shareOf(settings, { index, processes }),
        orphanedParts: () => orphanedPartsFor(index, { root: settings.SPOOL_DIR, processes }),
        maxSockets,
        listeners,
      };
      const own = {
        connection: (event: ConnectionEvent) => events.connection(index, event),
        crashed: (last: Snapshot | undefined, served: boolean) => events.crashed(index, last, served),
      };
      return new ProcessHandle(share, { events: own, log });
    });
  }

  get pids(): (number | undefined)[] {
    return this.#handles.map(({ pid }) => pid);
  }

  get configured(): number {
    return this.#handles.length;
  }

  get running(): number {
    return this.#handles.filter(({ ready }) => ready).length;
  }

  /** The processes that run and do not answer. */
  get degraded(): number[] {
    return this.#handles.filter(({ degraded }) => degraded).map(({ index }) => index);
  }

  /** Resolves when all processes can serve devices. Rejects with ProcessStartError if one cannot. */
  async start(): Promise<void> {
    // A second signal ends this process at once, and the others with it.
    process.once('exit', () => {
      if (this.#stopping) this.kill();
    });
    await this.#together((handle) => handle.start());
    this.#pollTimer = setInterval(() => {
      for (const handle of this.#handles) handle.poll();
    }, POLL_MS);
  }

  /** Resolves when all processes accept connections. Rejects with ProcessStartError if one cannot. */
  listen(): Promise<void> {
    return this.#together((handle) => handle.listen());
  }

  order(process: number, order: ConnectionOrder): void {
    this.#handles[process]?.order(order);
  }

  /** The figures of each process that has given any. */
  async snapshots(): Promise<Snapshot[]> {
    const all = await Promise.all(this.#handles.map((handle) => handle.snapshot()));
    return all.flatMap((one) => one ?? []);
  }

  async stop(): Promise<StopResult> {
    this.#stopping = true;
    clearInterval(this.#pollTimer);
    return sumOfStops(await Promise.all(this.#handles.map((handle) => handle.stop(this.#stopTimeoutMs))));
  }

  kill(): void {
    for (const handle of this.#handles) handle.kill();
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

/** If one process gave no number, the sum is unknown: any number would be too low. */
function sumOfStops(results: readonly StopResult[]): StopResult {
  let sum = 0;
  for (const { unconfirmed } of results) {
    if (unconfirmed === 'unknown') return { complete: false, unconfirmed };
    sum += unconfirmed;
  }
  return { complete: results.every(({ complete }) => complete), unconfirmed: sum };
}
