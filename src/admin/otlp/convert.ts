// Turns a snapshot into OpenTelemetry's data model: the metrics of /metrics, with the same names, labels and values.
import { type HrTime, ValueType } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { countOf } from '../../measure/histogram.ts';
import { isHistogram, METRICS, type Metric, samplesOf, unitOf } from '../metrics.ts';
import type { Snapshot } from '../snapshot.ts';

/** Attributes of the gateway itself, such as `service.name`. */
export type ResourceAttributes = Readonly<Record<string, string>>;

const UNITS = { seconds: 's', bytes: 'By', '': '1' } as const;

export function toResourceMetrics(snapshot: Snapshot, attributes: ResourceAttributes): ResourceMetrics {
  const nowMs = Date.parse(snapshot.at);
  const times = { startTime: hrTime(nowMs - snapshot.uptimeSeconds * 1000), endTime: hrTime(nowMs) };
  const scope = { name: 'sluice', version: snapshot.version };
  const metrics = METRICS.map((metric) => toMetricData(metric, snapshot, times));
  return { resource: resourceFromAttributes(attributes), scopeMetrics: [{ scope, metrics }] };
}

function toMetricData(
  metric: Metric,
  snapshot: Snapshot,
  times: { readonly startTime: HrTime; readonly endTime: HrTime },
): MetricData {
  const { name, type, help } = metric;
  const base = {
    descriptor: { name, description: help, unit: UNITS[unitOf(name)], valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const series = metric.read(snapshot);
  if (isHistogram(series)) {
    const { bounds, counts, sum } = series;
    const buckets = { boundaries: [...bounds], counts: [...counts] };
    const value = { buckets, sum, count: countOf(series) };
    return {
      ...base,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: [{ ...times, attributes: {}, value }],
    };
  }
  const dataPoints = samplesOf(series, metric).map(([attributes, value]) => ({
    ...times,
    attributes,
    value,
  }));
  return type === 'counter'
    ? { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
