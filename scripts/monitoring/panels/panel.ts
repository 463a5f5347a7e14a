// The form of a panel of the dashboard, and the kinds of panels and queries that come often. Queries stand in this folder
// without the variables of the dashboard and with a window of 5 minutes; dashboard.ts puts both in.

export type Unit = 'short' | 'bytes' | 'Bps' | 's' | 'percentunit' | 'ops';

export interface PanelQuery {
  readonly expr: string;
  /** Of Grafana: `{{instance}}`. */
  readonly legend: string;
}

/** The colour from this value on. */
export type Threshold = readonly [color: 'green' | 'orange' | 'red', from: number];

export interface PanelTexts {
  readonly title: string;
  /** The meaning of the values, and which ones are bad. */
  readonly help: string;
  /** A page of docs with its anchor. */
  readonly page: string;
}

export interface Panel extends PanelTexts {
  readonly kind: 'stat' | 'timeseries' | 'table';
  readonly unit: Unit;
  readonly queries: readonly PanelQuery[];
  /** Of 24 columns. */
  readonly width: number;
  readonly thresholds?: readonly Threshold[];
  /** Words for values. */
  readonly words?: Readonly<Record<string, string>>;
  readonly max?: number;
  readonly isStacked?: boolean;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export const EACH = '{{instance}}';

/** A panel of lines over time. */
export function lines(
  texts: PanelTexts,
  unit: Unit,
  queries: readonly PanelQuery[],
  more: Pick<Panel, 'thresholds' | 'max' | 'isStacked'> = {},
): Panel {
  return { kind: 'timeseries', unit, width: 8, queries, ...texts, ...more };
}

/** A panel of one number for each gateway. */
export function figure(
  texts: PanelTexts,
  unit: Unit,
  query: PanelQuery,
  more: Pick<Panel, 'thresholds' | 'words'> = {},
): Panel {
  return { kind: 'stat', unit, width: 6, queries: [query], ...texts, ...more };
}

export const rate = (metric: string) => `sum by (instance) (rate(${metric}[5m]))`;
export const rateBy = (label: string, metric: string) => `sum by (${label}) (rate(${metric}[5m]))`;
export const quantile = (share: number, metric: string) =>
  `histogram_quantile(${share}, sum by (instance, le) (rate(${metric}_bucket[5m])))`;
export const quantiles = (metric: string): PanelQuery[] =>
  [0.5, 0.99].map((share) => ({ expr: quantile(share, metric), legend: `${EACH} ${100 * share} %` }));
export const NOT_ONE: readonly Threshold[] = [
  ['red', 0],
  ['green', 1],
];
export const NOT_ZERO: readonly Threshold[] = [
  ['green', 0],
  ['red', 1],
];
