// The form of an alert: its expression, its texts for operators, and the cases of its unit test.

export interface Alert {
  readonly name: string;
  /** PromQL. Its result keeps the labels of the target, so several gateways give several alerts. */
  readonly expr: string;
  /** In Prometheus's syntax. */
  readonly for: string;
  /** `page` wakes somebody up, `ticket` can wait until the morning. */
  readonly severity: 'page' | 'ticket';
  /** The event in one line. Templates of Prometheus name labels: `{{ $labels.instance }}`. */
  readonly summary: string;
  /** The meaning for the data and for devices. Without templates: docs/operations.md has it too. */
  readonly meaning: string;
  /** How to see that it is so: a command, a page of the admin port or a query. */
  readonly confirm: string;
  readonly remedy: string;
  /** One for each way in which it fires. */
  readonly cases: readonly Cases[];
}

export type Labels = Readonly<Record<string, string>>;

/** Values in the notation of promtool, one a minute: `0 5`, `130+0x10`. */
export interface TestSeries {
  readonly metric: string;
  readonly labels: Labels;
  readonly values: string;
}

export interface Cases {
  /** At this time the alert fires. */
  readonly at: string;
  /** At this time it does not fire yet. Absent: a minute before `for`, as if the condition held from the beginning. */
  readonly early?: string;
  /** Series of a gateway for which it fires. */
  readonly firing: readonly TestSeries[];
  /** Series of another one, for which it does not, by as little as possible. */
  readonly silent: readonly TestSeries[];
  /** Labels of the alert that fires. */
  readonly labels: Labels;
}

const SICK: Labels = { instance: 'sluice-1:9108', job: 'sluice' };
export const WELL: Labels = { instance: 'sluice-2:9108', job: 'sluice' };

/** `sluice_x` or `sluice_x{process="1"}`, its values in the gateway that is sick, and in the one that is well. */
export type Row = readonly [series: string, sick: string, well: string];

/** Cases of two gateways that are scraped together. Labels in braces are those of the alert too, unless `labels` says so. */
export function gateways(
  at: string,
  rows: readonly Row[],
  { labels, early }: { readonly labels?: Labels; readonly early?: string } = {},
): Cases {
  const seriesOf = (target: Labels, pick: (row: Row) => string) =>
    rows.map((row) => {
      const { metric, labels: own } = parseSeries(row[0]);
      return { metric, labels: { ...target, ...own }, values: pick(row) };
    });
  const own = labels ?? parseSeries(rows[0]?.[0] ?? '').labels;
  return {
    at,
    ...(early !== undefined && { early }),
    firing: seriesOf(SICK, ([, sick]) => sick),
    silent: seriesOf(WELL, ([, , well]) => well),
    labels: { ...SICK, ...own },
  };
}

function parseSeries(text: string): { metric: string; labels: Labels } {
  const [, metric = '', inBraces = ''] = /^([a-z0-9_]+)(?:\{(.*)\})?$/i.exec(text) ?? [];
  const pairs = [...inBraces.matchAll(/([a-z_]+)="([^"]*)"/g)];
  return { metric, labels: Object.fromEntries(pairs.map(([, name, value]) => [name, value])) };
}

/** A counter that grew lately. One that was already above 0 at the first scrape after a start has grown too. */
export const grew = (counter: string, window: string, seconds: number) =>
  `increase(${counter}[${window}]) > 0 or (${counter} > 0 and sluice_uptime_seconds < ${seconds})`;
