// The options of `sluice load` as they were given, and which of them exclude each other.
import { durationText } from '../../src/config/kinds.ts';
import type { Framing, Shape, Step, Target } from '../plan.ts';

/** Absent: the default comes from the settings or from other options. */
export interface LoadOptions {
  readonly target?: Target;
  readonly tls: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly connections: number;
  readonly processes: number;
  readonly rate: number;
  readonly step?: Step;
  readonly ramp: number;
  readonly duration: number;
  readonly warmUp: number;
  readonly think?: number;
  readonly size?: number;
  readonly shape: Shape;
  readonly perWrite: number;
  readonly seq: boolean;
  readonly window: number;
  readonly bad: number;
  readonly slowReaders: number;
  readonly churn: number;
  readonly zipcodes?: number;
  readonly token?: string;
  readonly tags: number;
  readonly deviceIds: boolean;
  readonly lines?: Framing;
  readonly seed: number;
  readonly brokers?: string;
  readonly topic?: string;
  readonly readBack: boolean;
  readonly live: boolean;
  readonly settle: number;
  readonly reconnect: number;
  readonly maxP99?: number;
  readonly json?: string;
}

const MAX_CONNECTIONS = 1_000_000;
const MAX_PROCESSES = 64;

/** The first conflict between two options, in words. */
export function conflictIn(options: LoadOptions): string | undefined {
  const { connections, processes, rate, step, think, slowReaders, perWrite, window, seq } = options;
  const { duration, warmUp, readBack, live, maxP99, tls, tlsCa, tlsCert, tlsKey } = options;
  if (connections > MAX_CONNECTIONS) return `--connections: at most ${MAX_CONNECTIONS}`;
  if (processes > Math.min(MAX_PROCESSES, connections))
    return `--processes: at most ${MAX_PROCESSES}, and no more than connections`;
  if (!tls && (tlsCa ?? tlsCert ?? tlsKey) !== undefined) return '--tls-ca, --tls-cert, --tls-key need --tls';
  if ((tlsCert === undefined) !== (tlsKey === undefined)) return '--tls-cert and --tls-key need each other';
  if (duration === 0) return '--duration 0: there would be no load';
  if (warmUp >= duration)
    return `--warm-up ${durationText(warmUp)}: nothing is left of a duration of ${durationText(duration)}`;
  if (slowReaders > connections) return `--slow-readers ${slowReaders}: there are ${connections} connections`;
  if (think !== undefined && rate !== 0) return '--think needs --rate max';
  if (step !== undefined && rate === 0) return '--step needs a --rate to begin with';
  if (perWrite > window && seq) return `--per-write ${perWrite}: more than the --window of ${window}`;
  const problem = options.lines === undefined ? undefined : linesConflict(options);
  if (problem !== undefined) return problem;
  const measured = (seq && options.lines === undefined) || (readBack && live);
  if (!measured && (step !== undefined || maxP99 !== undefined))
    return '--step and --max-p99 need a latency: --seq, or the topic read live';
  return undefined;
}

/** Plain lines have no identify and no replies. */
function linesConflict({
  shape,
  bad,
  think,
  slowReaders,
  token,
  tags,
  deviceIds,
}: LoadOptions): string | undefined {
  if (shape.kind !== 'flat' && shape.kind !== 'nested') return '--lines: --shape has to be flat or nested';
  if (bad > 0 || think !== undefined || slowReaders > 0)
    return '--bad, --think and --slow-readers need replies, and plain lines have none';
  if (token !== undefined || tags > 0 || deviceIds)
    return '--token, --tags and --device-ids are for devices that identify, and senders of plain lines do not';
  return undefined;
}
