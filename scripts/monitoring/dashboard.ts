// Builds deploy/grafana/dashboards/sluice.json from the panels. Grafana's own builders do it, so the compiler holds each
// part to Grafana's schema.
import {
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type GridPos,
  MappingType,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { docsUrl } from './pages.ts';
import type { Panel, PanelQuery, Threshold } from './panels/panel.ts';
import { ROWS } from './panels/table.ts';

/** The data source that deploy/grafana/provisioning makes. A variable of the dashboard can choose another one. */
export const PROMETHEUS_UID = 'prometheus';
const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
const COLUMNS = 24;
const HEIGHTS: Readonly<Record<Panel['kind'], number>> = { stat: 5, table: 7, timeseries: 7 };
/** Series of HAProxy are of another job, and ALERTS are not scraped. */
const OURS = /\b(up|(?:sluice|process|nodejs)_[a-z0-9_]+)\b(?:\{([^}]*)\})?/g;
const CHOSEN = 'job=~"$job", instance=~"$instance"';

/** The query with the variables of the dashboard: which gateways are chosen, and a window that fits its time range. */
export function withVariables(expr: string): string {
  return expr
    .replace(OURS, (_, name: string, labels?: string) =>
      labels === undefined ? `${name}{${CHOSEN}}` : `${name}{${labels}, ${CHOSEN}}`,
    )
    .replaceAll('[5m]', '[$__rate_interval]');
}

/** A table of labels: its time and value say nothing. */
const LABELS_ONLY = {
  id: 'organize',
  options: { excludeByName: { Time: true, Value: true, __name__: true } },
};

/** JSON that Grafana imports. */
export function dashboardFile(): string {
  const dashboard = new DashboardBuilder('Sluice')
    .uid('sluice')
    .description('Gateways from devices to Kafka. Generated from scripts/monitoring/panels.')
    .tags(['sluice', 'kafka'])
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .links([docsLink('Operations', 'operations.md'), docsLink('Metrics', 'metrics.md')])
    .withVariable(
      new DatasourceVariableBuilder('datasource')
        .label('Data source')
        .type('prometheus')
        .current({ text: 'Prometheus', value: PROMETHEUS_UID }),
    )
    .withVariable(labelVariable('job', 'label_values(sluice_build_info, job)'))
    .withVariable(
      labelVariable('instance', 'label_values(sluice_build_info{job=~"$job"}, instance)').allValue('.*'),
    );
  let id = 1;
  let top = 0;
  for (const { title, panels } of ROWS) {
    dashboard.withRow(
      new RowBuilder(title).id(id++).gridPos({ x: 0, y: top, w: COLUMNS, h: 1 }).collapsed(false),
    );
    const { places, bottom } = placesOf(panels, top + 1);
    for (const [index, panel] of panels.entries()) {
      const place = places[index];
      if (place !== undefined) dashboard.withPanel(panelOf(panel).id(id++).gridPos(place));
    }
    top = bottom;
  }
  return `${JSON.stringify(dashboard.build(), null, 2)}\n`;
}

/** From left to right, and on a new line when a panel has no room. */
function placesOf(panels: readonly Panel[], top: number): { places: GridPos[]; bottom: number } {
  let [x, y, lineHeight] = [0, top, 0];
  const places = panels.map(({ kind, width }) => {
    if (x + width > COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
    const place = { x, y, w: width, h: HEIGHTS[kind] };
    x += width;
    lineHeight = Math.max(lineHeight, place.h);
    return place;
  });
  return { places, bottom: y + lineHeight };
}

function panelOf(panel: Panel): StatBuilder | TableBuilder | TimeseriesBuilder {
  const { title, help, page, unit, queries } = panel;
  const builder = builderOf(panel)
    .title(title)
    .description(`${help}\n\n[More](${docsUrl(page)})`)
    .datasource(DATASOURCE)
    .unit(unit)
    .targets(queries.map((query, index) => target(query, panel, index)));
  return builder;
}

function builderOf({ kind, thresholds = [['green', 0]], words, max, isStacked }: Panel) {
  if (kind === 'table') return new TableBuilder().withTransformation(LABELS_ONLY);
  const limits = thresholdsOf(thresholds);
  if (kind === 'stat') {
    const stat = new StatBuilder()
      .thresholds(limits)
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
    return words === undefined ? stat : stat.mappings([mappingOf(words)]);
  }
  const graph = new TimeseriesBuilder()
    .min(0)
    .thresholds(limits)
    .thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(
        thresholds.length > 1 ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off,
      ),
    )
    .fillOpacity(isStacked ? 30 : 5)
    .stacking(new StackingConfigBuilder().mode(isStacked ? StackingMode.Normal : StackingMode.None))
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  return max === undefined ? graph : graph.max(max);
}

function target({ expr, legend }: PanelQuery, { kind }: Panel, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder()
    .expr(withVariables(expr))
    .datasource(DATASOURCE)
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .legendFormat(legend);
  return kind === 'table' ? query.instant().format(PromQueryFormat.Table) : query.range();
}

const thresholdsOf = (thresholds: readonly Threshold[]) =>
  new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    // The first colour begins at minus infinity, which is null in JSON.
    .steps(thresholds.map(([color, value], index) => ({ color, value: index === 0 ? null : value })));

const mappingOf = (words: Readonly<Record<string, string>>) => ({
  type: MappingType.ValueToText as const,
  options: Object.fromEntries(Object.entries(words).map(([value, text]) => [value, { text }])),
});

function labelVariable(name: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(name)
    .query({ query, refId: name })
    .definition(query)
    .datasource(DATASOURCE)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ text: ['All'], value: ['$__all'] });
}

const docsLink = (title: string, page: string) =>
  new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Link)
    .url(docsUrl(page))
    .icon('doc')
    .targetBlank(true);
