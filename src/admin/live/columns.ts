// The columns of the history: which figures it keeps, each a number. docs/admin-api.md names them.
import { type HistogramValue, quantileOf, since } from '../../measure/histogram.ts';
import type { Figures } from '../snapshot.ts';

/** Figures that are numbers, by their path in /stats. */
const FIGURES: Readonly<Record<string, (figures: Figures) => number>> = {
  'lines.received': ({ lines }) => lines.received,
  'lines.accepted': ({ lines }) => lines.accepted,
  'lines.refusedLines': ({ lines }) => lines.refusedLines,
  /** Of all codes. */
  'lines.refused': ({ lines }) => Object.values(lines.refused).reduce((sum, count) => sum + count, 0),
  'lines.waiting': ({ lines }) => lines.waiting,
  'records.accepted': ({ records }) => records.accepted,
  'records.confirmed': ({ records }) => records.confirmed,
  'records.deadLettered': ({ records }) => records.deadLettered,
  'records.open': ({ records }) => records.open,
  'records.inFlight': ({ records }) => records.inFlight,
  'records.spooled': ({ records }) => records.spooled,
  'connections.active': ({ connections }) => connections.active,
  'connections.paused': ({ connections }) => connections.paused,
  'connections.slowed': ({ connections }) => connections.slowed,
  'connections.accepted': ({ connections }) => connections.accepted,
  'connections.receivedBytes': ({ connections }) => connections.receivedBytes,
  'connections.sentBytes': ({ connections }) => connections.sentBytes,
  'queue.depth': ({ queue }) => queue.depth,
  'kafka.bytesSent': ({ kafka }) => kafka.bytesSent,
  'kafka.retries': ({ kafka }) => kafka.retries,
  'kafka.bufferBytes': ({ kafka }) => kafka.bufferBytes,
  'kafka.oldestUnconfirmedSeconds': ({ kafka }) => kafka.oldestUnconfirmedSeconds,
  'spool.bytes': ({ spool }) => spool.bytes,
  'spool.oldestSeconds': ({ spool }) => spool.oldestSeconds,
  'process.cpuSeconds': ({ process }) => process.cpuSeconds,
  'process.residentBytes': ({ process }) => process.residentBytes,
  'process.eventLoopLagP99Seconds': ({ process }) => process.eventLoopLagP99Seconds,
};

const HISTOGRAMS: Readonly<Record<string, (figures: Figures) => HistogramValue>> = {
  'lines.toStoredSeconds': ({ lines }) => lines.toStoredSeconds,
  'lines.toKafkaSeconds': ({ lines }) => lines.toKafkaSeconds,
};
const QUANTILES = { p50: 0.5, p99: 0.99 } as const;

export const COLUMNS: readonly string[] = [
  'at',
  'uptimeSeconds',
  'ready',
  ...Object.keys(FIGURES),
  ...Object.keys(HISTOGRAMS).flatMap((name) =>
    Object.keys(QUANTILES).map((quantile) => `${name}.${quantile}`),
  ),
];

export interface Sampled {
  readonly figures: Figures;
  /** Unknown of a single process. */
  readonly ready: boolean | null;
}

/** The values of all columns, in their order. @param before the figures of the sample before */
export function sampleOf({ figures, ready }: Sampled, before: Figures | undefined): (number | null)[] {
  const quantiles = Object.values(HISTOGRAMS).flatMap((read) => {
    const values = before && since(read(before), read(figures));
    return Object.values(QUANTILES).map((share) => (values === undefined ? null : quantileOf(values, share)));
  });
  return [
    Date.parse(figures.at),
    figures.uptimeSeconds,
    ready === null ? null : Number(ready),
    ...Object.values(FIGURES).map((read) => read(figures)),
    ...quantiles,
  ].map((value) => (value === null ? null : Math.round(value * 1000) / 1000));
}
