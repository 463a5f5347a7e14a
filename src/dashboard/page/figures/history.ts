// The last 15 minutes as columns, as the gateway keeps them: they begin with the event `history`, and each `sample` adds one.
// Never holds more than MAX_SAMPLES of each. Rates are made of the totals when they are drawn.

const HISTORY_SECONDS = 15 * 60;
const LEAST_WINDOW_SECONDS = 2 * 60;
const MAX_SAMPLES = HISTORY_SECONDS + 1;

/** The columns that charts read. docs/admin-api.md describes them. */
export const COLUMNS = [
  'at',
  'uptimeSeconds',
  'lines.received',
  'lines.refused',
  'records.confirmed',
  'lines.toKafkaSeconds.p50',
  'lines.toKafkaSeconds.p99',
  'spool.bytes',
  'connections.active',
  'process.cpuSeconds',
] as const;

export type Column = (typeof COLUMNS)[number];
/** Oldest first. Null is not known. */
type Values = readonly (number | null)[];
export type History = Readonly<Record<Column, Values>>;

const each = <T>(value: (name: Column) => T) =>
  Object.fromEntries(COLUMNS.map((name) => [name, value(name)])) as Record<Column, T>;

export const EMPTY_HISTORY: History = each(() => []);

/** @param samples the columns of `history`; those that are missing or of another length are not known */
export function historyOf(samples: Readonly<Record<string, Values | undefined>>): History {
  const length = samples.at?.length ?? 0;
  return each((name) => {
    const column = samples[name];
    return column?.length === length ? column.slice(-MAX_SAMPLES) : new Array<null>(length).fill(null);
  });
}

/** A new history with one sample more. */
export function withSample(history: History, sample: Readonly<Record<string, number | null>>): History {
  return each((name) => [...history[name].slice(1 - MAX_SAMPLES), sample[name] ?? null]);
}

/** Seconds since 1970, as uPlot wants them. */
export function secondsOf(history: History): number[] {
  return history.at.map((ms) => (ms ?? 0) / 1000);
}

/** What the charts show, in seconds: all samples, and at least two minutes, so that young figures are not a dash at the edge. */
export function windowOf(first: number, last: number): [from: number, until: number] {
  return [Math.min(Math.max(first, last - HISTORY_SECONDS), last - LEAST_WINDOW_SECONDS), last];
}

/** A total as its rate. Not known between samples that are not neighbours in time, or if the total fell with its process. */
export function ratesOf(history: History, name: Column): (number | null)[] {
  const [totals, uptimes] = [history[name], history.uptimeSeconds];
  return totals.map((total, at) => {
    const [before, until, since] = [totals[at - 1] ?? null, uptimes[at] ?? null, uptimes[at - 1] ?? null];
    if (total === null || before === null || until === null || since === null) return null;
    const seconds = until - since;
    return seconds > 0 && total >= before ? (total - before) / seconds : null;
  });
}
