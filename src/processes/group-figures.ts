// The figures of all processes together: the figures of those that run, the totals of those that crashed, and the figures of the
// first process.
import { byProcess } from '../admin/per-process.ts';
import { type ProcessStats, startProcessStats } from '../admin/process-stats.ts';
import { type Figures, NotStartedError } from '../admin/snapshot.ts';
import { nothingToStop, type StopResult } from '../gateway/stop-result.ts';
import type { ConnectionLedger } from '../server/connection-ledger.ts';
import type { ProcessGroup } from './process-group.ts';
import { retired, sumOf, sumOfStops } from './sum.ts';

export class GroupFigures {
  readonly #version: string;
  readonly #ledger: ConnectionLedger;
  readonly #processStats: ProcessStats = startProcessStats();
  /** The sum of all crashed processes, so that no list grows. */
  #ended: Figures | undefined;
  #restarts = 0;
  #unseen = 0;

  constructor(version: string, ledger: ConnectionLedger) {
    this.#version = version;
    this.#ledger = ledger;
  }

  /** As ProcessEvents.crashed. */
  crashed(last: Figures | undefined, served: boolean): void {
    this.#restarts++;
    if (last === undefined) {
      if (served) this.#unseen++;
      return;
    }
    this.#ended = this.#ended === undefined ? retired(last) : sumOf([this.#ended, retired(last)]);
  }

  /** Rejects with NotStartedError if no process has given figures. */
  async read(group: ProcessGroup): Promise<Figures> {
    // Before the figures are asked for: a process that crashes meanwhile must not count twice.
    const ended = this.#ended;
    const processes = await group.snapshots();
    const [first, ...others] = [...processes.map(({ snapshot }) => snapshot), ended].filter(
      (one) => one !== undefined,
    );
    if (first === undefined) throw new NotStartedError();
    const sum = sumOf([first, ...others]);
    const own = this.#processStats.read();
    const { configured, running, hung } = group;
    return {
      ...sum,
      version: this.#version,
      at: new Date().toISOString(),
      uptimeSeconds: process.uptime(),
      connections: {
        ...sum.connections,
        maximum: this.#ledger.admission.options.maxConnections,
        uniqueZipcodes: this.#ledger.uniqueZipcodes,
      },
      resume: this.#ledger.resumes.figures,
      process: {
        residentBytes: sum.process.residentBytes + own.residentBytes,
        heapUsedBytes: sum.process.heapUsedBytes + own.heapUsedBytes,
        cpuSeconds: sum.process.cpuSeconds + own.cpuSeconds,
        eventLoopLagP99Seconds: Math.max(sum.process.eventLoopLagP99Seconds, own.eventLoopLagP99Seconds),
        eventLoopDelaySeconds: sum.process.eventLoopDelaySeconds,
      },
      byProcess: byProcess(processes, own),
      processes: {
        configured,
        running,
        degraded: hung.length,
        hung,
        restarts: this.#restarts,
        unseen: this.#unseen,
      },
    };
  }

  /** The totals of crashed processes belong to the balance of the whole run. */
  withCrashed(stopped: StopResult): StopResult {
    const ended = this.#ended;
    if (ended === undefined) return stopped;
    return sumOfStops([stopped, { ...nothingToStop(), records: ended.records }]);
  }

  stop(): void {
    this.#processStats.stop();
  }
}
