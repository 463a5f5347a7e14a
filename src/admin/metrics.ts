// Writes the Prometheus text of a snapshot. It keeps no figures. Most metrics come from the table of figures, and
// docs/metrics.md is generated from METRICS.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { eachFigure, type HistogramValue, type Series } from './figures.ts';
import type { Snapshot } from './snapshot.ts';

export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly label?: string;
  read(snapshot: Snapshot): Series;
}

/** Every metric of /metrics, in this order. */
export const METRICS: readonly Metric[] = [
  {
    name: 'sluice_build_info',
    type: 'gauge',
    help: 'Always 1; the version is its label.',
    label: 'version',
    read: ({ version }) => ({ [version]: 1 }),
  },
  {
    name: 'sluice_uptime_seconds',
    type: 'gauge',
    help: 'Time since the start.',
    read: ({ uptimeSeconds }) => uptimeSeconds,
  },
  {
    name: 'sluice_ready',
    type: 'gauge',
    help: '1 when the gateway takes lines (as /readyz), else 0.',
    read: ({ readiness }) => (readiness.ready ? 1 : 0),
  },
  {
    name: 'sluice_records',
    type: 'gauge',
    help: 'Records not yet confirmed: in an open batch, in flight to Kafka, or in the spool.',
    label: 'state',
    read: ({ records: { open, inFlight, spooled } }) => ({ open, in_flight: inFlight, spooled }),
  },
  ...metricsOfFigures(),
];

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * The registry lives for one scrape, so two scrapes at once cannot mix. A prom-client Counter can only grow: the new
 * one takes the total as its first increment.
 */
export function renderMetrics(snapshot: Snapshot, metrics = METRICS): Promise<string> {
  const registry = new Registry();
  for (const { name, type, help, label, read } of metrics) {
    const config = { name, help, labelNames: label === undefined ? [] : [label], registers: [registry] };
    const series = read(snapshot);
    if (isHistogram(series)) {
      register(config, series);
      continue;
    }
    const metric = type === 'counter' ? new Counter(config) : new Gauge(config);
    if (typeof series === 'number') metric.inc(series);
    else if (label !== undefined)
      for (const [labelValue, value] of Object.entries(series)) metric.inc({ [label]: labelValue }, value);
  }
  return registry.metrics();
}

function metricsOfFigures(): Metric[] {
  const sections = eachFigure(({ metric }, read): Metric[] =>
    metric === undefined ? [] : [{ ...metric, read: (snapshot) => metric.series(read(snapshot)) }],
  );
  return Object.values(sections).flatMap((section) => Object.values(section).flat());
}

function isHistogram(series: Series): series is HistogramValue {
  return typeof series === 'object' && Array.isArray(series.buckets);
}

/** prom-client fills a histogram only by single observations, so its text is replaced. */
function register(
  config: { name: string; help: string; registers: Registry[] },
  { buckets, sum }: HistogramValue,
): void {
  const { name, help } = config;
  const values = [
    ...buckets.map(([le, value]) => ({ metricName: `${name}_bucket`, labels: { le }, value })),
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: buckets.at(-1)?.[1] ?? 0 },
  ];
  Object.assign(new Histogram(config), {
    getForPromString: () => Promise.resolve({ name, help, type: 'histogram', values }),
  });
}
