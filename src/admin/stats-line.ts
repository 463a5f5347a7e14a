// The statistics line of the log: the figures of one snapshot, with rates since the snapshot before it.
import type { Log } from '../log/log.ts';
import { CODE_NAMES } from '../protocol/codes.ts';
import { unaccountedRecords } from './balance.ts';
import type { Snapshot } from './snapshot.ts';

export interface StatsLine {
  /** For people. */
  readonly summary: string;
  /** The same figures for JSON logs, under the names that the summary uses. */
  readonly fields: ReturnType<typeof statsFields>;
}

/** Rates are since `previous`, or since the start if it is null. Totals are since the start. */
export function formatStats(now: Snapshot, previous: Snapshot | null): StatsLine {
  const fields = statsFields(now, previous);
  const codes = Object.entries(fields.refused_by_code).map(([code, count]) => `${code}=${count}`);
  const parts = [
    `connections=${fields.connections}/${fields.max_connections}`,
    `zipcodes=${fields.zipcodes}`,
    `timers=${fields.timers}`,
    `queue=${fields.queue}/${fields.queue_capacity}`,
    `messages/s=${fields.messages_per_second.toFixed(1)}`,
    `records/s=${fields.records_per_second.toFixed(1)}`,
    `accepted=${fields.accepted}`,
    ...(fields.recovered === 0 ? [] : [`recovered=${fields.recovered}`]),
    `confirmed=${fields.confirmed}`,
    `open=${fields.open}`,
    `in_flight=${fields.in_flight}`,
    `spooled=${fields.spooled}`,
    `dead_lettered=${fields.dead_lettered}`,
    ...(fields.damaged === 0 ? [] : [`damaged=${fields.damaged}`]),
    ...(fields.abandoned === 0 ? [] : [`abandoned=${fields.abandoned}`]),
    ...(fields.unaccounted === 0 ? [] : [`unaccounted=${fields.unaccounted}`]),
    `refused=${fields.refused}`,
    ...(codes.length === 0 ? [] : [`(${codes.join(' ')})`]),
  ];
  return { summary: `Statistics: ${parts.join(' ')}`, fields };
}

function statsFields(now: Snapshot, previous: Snapshot | null) {
  const { connections, queue, records } = now;
  const { accepted, recovered, confirmed, open, inFlight, spooled, deadLettered, damaged, abandoned } =
    records;
  const refusals = CODE_NAMES.map((code) => [code, now.lines.refused[code]] as const);
  // `at` will not do: somebody can set the clock back.
  const seconds = now.uptimeSeconds - (previous?.uptimeSeconds ?? 0);
  return {
    connections: connections.active,
    max_connections: connections.maximum,
    zipcodes: connections.uniqueZipcodes,
    timers: connections.scheduledTimers,
    queue: queue.depth,
    queue_capacity: queue.capacity,
    messages_per_second: rate(now.lines.received, previous?.lines.received, seconds),
    records_per_second: rate(accepted, previous?.records.accepted, seconds),
    accepted,
    recovered,
    confirmed,
    open,
    in_flight: inFlight,
    spooled,
    dead_lettered: deadLettered,
    damaged,
    abandoned,
    unaccounted: unaccountedRecords(now),
    refused: refusals.reduce((sum, [, count]) => sum + count, 0),
    // Only codes that occurred.
    refused_by_code: Object.fromEntries(refusals.filter(([, count]) => count > 0)),
  };
}

/** Per second, rounded to a tenth. 0 if no time has passed or the total fell because a process was replaced. */
function rate(total: number, before = 0, seconds: number): number {
  if (seconds <= 0 || total <= before) return 0;
  return Math.round(((total - before) / seconds) * 10) / 10;
}

export interface StatsLogOptions {
  /** STATS_INTERVAL; 0 = no line. */
  readonly intervalMs: number;
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly log: Log;
}

/** Logs the line each interval until stop(). The timer does not keep the process alive. */
export function startStatsLog({ intervalMs, snapshot, log }: StatsLogOptions): { stop(): void } {
  if (intervalMs === 0) return { stop: () => {} };
  // One snapshot after the other. If one fails, its line is left out and the next line covers both intervals.
  let previous: Promise<Snapshot | null> = take(snapshot);
  const report = async (before: Promise<Snapshot | null>): Promise<Snapshot | null> => {
    const previous = await before;
    const now = await take(snapshot);
    if (now === null) return previous;
    const { summary, fields } = formatStats(now, previous);
    log.write('statistics', { summary, stats: fields });
    return now;
  };
  const timer = setInterval(() => {
    previous = report(previous);
  }, intervalMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

async function take(snapshot: () => Snapshot | Promise<Snapshot>): Promise<Snapshot | null> {
  try {
    return await snapshot();
  } catch {
    return null;
  }
}
