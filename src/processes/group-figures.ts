// One snapshot for all processes: the figures of those that run, the totals of those that crashed, and the figures of the
// first process.
import { type ProcessStats, startProcessStats } from '../admin/process-stats.ts';
import { NotStartedError, type Snapshot } from '../admin/snapshot.ts';
import type { ConnectionLedger } from '../server/connection-ledger.ts';
import type { ProcessGroup } from './process-group.ts';
import { retired, sumOf } from './sum.ts';

export class GroupFigures {
  readonly #version: string;
  readonly #ledger: ConnectionLedger;
  readonly #processStats: ProcessStats = startProcessStats();
  /** The sum of all crashed processes, so that no list grows. */
  #ended: Snapshot | undefined;
  #restarts = 0;
  #unseen = 0;

  constructor(version: string, ledger: ConnectionLedger) {
    this.#version = version;
    this.#ledger = ledger;
  }

  /** As ProcessEvents.crashed. */
  crashed(last: Snapshot | undefined, served: boolean): void {
    this.#restarts++;
    if (last === undefined) {
      if (served) this.#unseen++;
      return;
    }
    this.#ended = this.#ended === undefined ? retired(last) : sumOf([this.#ended, retired(last)]);
  }

  /** Rejects with NotStartedError if no process has given figures. */
  async snapshot(group: ProcessGroup, { stopping }: { stopping: boolean }): Promise<Snapshot> {
    // Before the figures are asked for: a process that crashes meanwhile must not count twice.
    const ended = this.#ended;
    const [first, ...others] = await group.snapshots();
    if (first === undefined && ended === undefined) throw new NotStartedError();
    const known = [first, ...others, ended].filter((one) => one !== undefined);
    const sum = sumOf(known as [Snapshot, ...Snapshot[]]);
    const own = this.#processStats.read();
    const { configured, running, degraded } = group;
    const reasons = [...sum.readiness.reasons];
    if (running < configured)
      reasons.push(`${configured - running} of ${configured} server processes are not running`);
    for (const index of degraded)
      reasons.push(
        `server process ${index} does not answer, its figures are old; if this lasts 10 s it is killed and started again`,
      );
    if (stopping && reasons.length === 0) reasons.push('the gateway is stopping');
    return {
      ...sum,
      version: this.#version,
      at: new Date().toISOString(),
      uptimeSeconds: process.uptime(),
      readiness: { ready: reasons.length === 0, reasons },
      connections: {
        ...sum.connections,
        maximum: this.#ledger.admission.options.maxConnections,
        uniqueZipcodes: this.#ledger.uniqueZipcodes,
      },
      process: {
        residentBytes: sum.process.residentBytes + own.residentBytes,
        heapUsedBytes: sum.process.heapUsedBytes + own.heapUsedBytes,
        cpuSeconds: sum.process.cpuSeconds + own.cpuSeconds,
        eventLoopLagP99Seconds: Math.max(sum.process.eventLoopLagP99Seconds, own.eventLoopLagP99Seconds),
      },
      processes: {
        configured,
        running,
        degraded: degraded.length,
        restarts: this.#restarts,
        unseen: this.#unseen,
      },
    };
  }

  stop(): void {
    this.#processStats.stop();
  }
}
