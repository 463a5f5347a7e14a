// Writes the Prometheus text of a snapshot. It keeps no figures. Most metrics come from the table of figures, and
// docs/metrics.md is generated from METRICS.
import { createRequire } from 'node:module';
import type { Histogram } from 'prom-client';
import type { Component } from '../health/component.ts';
import { countOf, type HistogramValue } from '../measure/histogram.ts';
import { unaccountedLines, unaccountedRecords } from './balance.ts';
import { eachFigure, type Series } from './figures.ts';
import type { Snapshot } from './snapshot.ts';

export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Beside `le`. None, one, or those of an Info. */
  readonly labels: readonly string[];
  read(snapshot: Snapshot): Series | Info;
}

/** A metric of the value 1 that tells something in its labels. */
export interface Info {
  readonly info: Readonly<Record<string, string>>;
}

/** Every metric of /metrics, in this order. */
export const METRICS: readonly Metric[] = [
  {
    name: 'sluice_build_info',
    type: 'gauge',
    help: 'Always 1; its labels say which program runs: its version, that of Node, the platform.',
    labels: ['version', 'node', 'platform'],
    read: ({ version }) => ({
      info: { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` },
    }),
  },
  {
    name: 'sluice_uptime_seconds',
    type: 'gauge',
    help: 'Time since the start.',
    labels: [],
    read: ({ uptimeSeconds }) => uptimeSeconds,
  },
  {
    name: 'sluice_ready',
    type: 'gauge',
    help: '1 while data sent now would be kept (as /readyz), else 0.',
    labels: [],
    read: ({ readiness }) => (readiness.ready ? 1 : 0),
  },
  {
    name: 'sluice_draining',
    type: 'gauge',
    help: '1 while the gateway is drained or stops, which makes it not ready on purpose, else 0.',
    labels: [],
    read: ({ components }) => (components.some(isLeaving) ? 1 : 0),
  },
  {
    name: 'sluice_unaccounted_records',
    type: 'gauge',
    help: 'Records that came in and are in no state that a record can have. Always 0; anything else is a bug.',
    labels: [],
    read: unaccountedRecords,
  },
  {
    name: 'sluice_unaccounted_lines',
    type: 'gauge',
    help: 'Lines received that are neither accepted nor refused nor waiting. Always 0; anything else is a bug.',
    labels: [],
    read: unaccountedLines,
  },
  {
    name: 'sluice_records',
    type: 'gauge',
    help: 'Records not yet confirmed: in an open batch, in flight to Kafka, or in the spool.',
    labels: ['state'],
    read: ({ records: { open, inFlight, spooled } }) => ({ open, in_flight: inFlight, spooled }),
  },
  ...metricsOfFigures(),
];

/** The text format of Prometheus, as prom-client writes it. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const require = createRequire(import.meta.url);

function isLeaving({ id, finding }: Component): boolean {
  return id === 'processes' && (finding === 'draining' || finding === 'stopping');
}

/** The base unit that a name ends with, empty for a count. */
export function unitOf(name: string): 'seconds' | 'bytes' | '' {
  const unit = name.replace(/_total$/, '').match(/_(seconds|bytes)$/)?.[1];
  return unit === 'seconds' || unit === 'bytes' ? unit : '';
}

/**
 * The registry lives for one scrape, so two scrapes at once cannot mix. A prom-client Counter can only grow: the new
 * one takes the total as its first increment. The package is loaded at the first scrape: many gateways have none. After a
 * failed `require` the next scrape tries again, which it would not after a failed `import`.
 */
export function renderMetrics(snapshot: Snapshot, metrics = METRICS): Promise<string> {
  const { Counter, Gauge, Histogram, Registry } = require('prom-client') as typeof import('prom-client');
  const registry = new Registry();
  for (const metric of metrics) {
    const { name, help, labels, type } = metric;
    const config = { name, help, labelNames: [...labels], registers: [registry] };
    const series = metric.read(snapshot);
    if (isHistogram(series)) {
      fill(new Histogram(config), series, metric);
      continue;
    }
    const target = type === 'counter' ? new Counter(config) : new Gauge(config);
    for (const [labelled, value] of samplesOf(series, metric)) target.inc(labelled, value);
  }
  return registry.metrics();
}

/** The samples of anything but a histogram: the labels and the value of each. */
export function samplesOf(
  series: Exclude<ReturnType<Metric['read']>, HistogramValue>,
  { labels: [label] }: Pick<Metric, 'labels'>,
): (readonly [labels: Readonly<Record<string, string>>, value: number])[] {
  if (typeof series === 'number') return [[{}, series]];
  if (isInfo(series)) return [[series.info, 1]];
  if (label === undefined) return [];
  return Object.entries(series).map(([value, count]) => [{ [label]: value }, count] as const);
}

function metricsOfFigures(): Metric[] {
  const sections = eachFigure(({ metric }, read): Metric[] => {
    if (metric === undefined) return [];
    const { label, series, ...facts } = metric;
    const labels = label === undefined ? [] : [label];
    return [{ ...facts, labels, read: (snapshot) => series(read(snapshot)) }];
  });
  return Object.values(sections).flatMap((section) => Object.values(section).flat());
}

export function isHistogram(series: Series | Info): series is HistogramValue {
  return typeof series === 'object' && 'counts' in series && Array.isArray(series.counts);
}

function isInfo(series: Series | Info): series is Info {
  return typeof series === 'object' && 'info' in series && typeof series.info === 'object';
}

/** prom-client fills a histogram only by single observations, so its text is replaced. */
function fill(
  target: Histogram,
  histogram: HistogramValue,
  { name, help }: Pick<Metric, 'name' | 'help'>,
): void {
  const values = [
    ...cumulative(histogram).map(([le, value]) => ({ metricName: `${name}_bucket`, labels: { le }, value })),
    { metricName: `${name}_sum`, labels: {}, value: histogram.sum },
    { metricName: `${name}_count`, labels: {}, value: countOf(histogram) },
  ];
  Object.assign(target, {
    getForPromString: () => Promise.resolve({ name, help, type: 'histogram', values }),
  });
}

/** As in Prometheus: upper bounds that rise to +Inf, each with the count of all values up to it. */
function cumulative({ bounds, counts }: HistogramValue): (readonly [bound: string, count: number])[] {
  let total = 0;
  return counts.map((count, index) => {
    total += count;
    return [index < bounds.length ? `${bounds[index]}` : '+Inf', total] as const;
  });
}
