// The evidence that an attack leaves, and checks of it that several attacks share.
import type { LatencySummary } from '../../load/report/histogram.ts';
import type { Verdict } from '../../load/verification/verifier.ts';
import type { PollResult } from '../servers/admin-poll.ts';

/** Latencies of the good devices in one phase. */
export interface GoodFigures {
  /** From the due time of a line to its `stored`. */
  readonly storedMs: LatencySummary;
  readonly keepaliveMs: LatencySummary;
}

/** The fate of the good devices, over all phases. */
export interface GoodOutcome {
  readonly readBack: Verdict | undefined;
  readonly unconfirmed: number;
  /** Connections that broke, or that were not there at the end. */
  readonly broken: number;
  readonly keepalivesLost: number;
}

/** The sum over all processes of attackers. */
export interface AttackerReport {
  readonly connected: number;
  readonly sentBytes: number;
  /** How connections ended: the code of the last reply, `closed` without one, or the code of the socket's error. */
  readonly ended: Readonly<Record<string, number>>;
  /** Figures of this attack; the highest of all processes. */
  readonly notes: Readonly<Record<string, number>>;
}

export interface Evidence {
  readonly rest: GoodFigures;
  /** Beside the same attack on a server that does nothing. */
  readonly sink: GoodFigures | undefined;
  readonly attacked: GoodFigures;
  readonly good: GoodOutcome;
  readonly attackers: AttackerReport;
  /** The highest of each process, MiB. */
  readonly rssMiB: readonly number[];
  /** Cores that the gateway used during the attack. */
  readonly cores: number;
  /**
   * The share of the time in which a process was ready to run and had no core, the highest of all. The machine was too busy
   * for figures if that is much more than the attackers explain.
   */
  readonly waitedShare: number;
  /** Server processes that were started again. */
  readonly restarts: number;
  /** Exit code of the gateway, or the signal that ended it. */
  readonly exit: number | NodeJS.Signals;
  /** The highest number of connections that the gateway saw. */
  readonly mostConnections: number;
  /** Replies of the gateway during the attack, by code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Series that /metrics exports before and after. */
  readonly series: { readonly before: number; readonly after: number };
  readonly healthz: PollResult;
  readonly readyz: PollResult;
  /** The gateway's log. */
  readonly log: readonly string[];
}

/** Checks of counts by code, as problems in words. */
export const codes = {
  expect: (counts: Readonly<Record<string, number>>, code: string): string[] =>
    (counts[code] ?? 0) > 0 ? [] : [`no connection was closed with ${code}`],

  only: (counts: Readonly<Record<string, number>>, code: string): string[] => [
    ...codes.expect(counts, code),
    ...Object.entries(counts)
      .filter(([other]) => other !== code)
      .map(([other, times]) => `${times} connections ended with ${other} in place of ${code}`),
  ],
};

/** For attackers that must not get a record into Kafka. */
export function foreignProblem({ good: { readBack } }: Evidence): string[] {
  const foreign = readBack?.foreign ?? 0;
  return foreign === 0 ? [] : [`${foreign} records of the attackers are in Kafka`];
}
