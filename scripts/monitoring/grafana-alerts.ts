// Builds deploy/grafana/provisioning/alerting/rules.yml: for each alert of Prometheus a rule of Grafana that asks whether
// Prometheus has it firing, and sends it to Grafana's contact points. Prometheus alone decides when an alert fires
// (docs/decisions/0068-prometheus-judges-and-grafana-sends.md).
import type { Alert } from './alerts/alert.ts';
import { ALERTS } from './alerts/table.ts';
import { PROMETHEUS_UID } from './dashboard.ts';
import { runbookUrl } from './pages.ts';
import { annotationsOf } from './rules.ts';
import { yamlText } from './yaml.ts';

/** Grafana's name of the data source that computes with the results of others. */
const EXPRESSION = '__expr__';
/** Firing alerts stay in ALERTS until the next evaluation. */
const LOOK_BACK_SECONDS = 300;
/** Grafana takes multiples of 10 s only, and does not start with another one. */
const INTERVAL = '10s';

export function grafanaAlertsFile(): string {
  const rules = [...ALERTS.map(ruleOf), unreachableRule()];
  const group = { orgId: 1, name: 'sluice', folder: 'Sluice alerts', interval: INTERVAL, rules };
  return `# Generated from scripts/monitoring/alerts by \`npm run docs\`. Do not edit.
# Prometheus decides when an alert fires (deploy/prometheus/rules.yml). These rules pass it on to Grafana's contact points.
${yamlText({ apiVersion: 1, groups: [group] })}`;
}

/** The labels of the alert stay, so each gateway has an alert of its own. Grafana sets alertname itself. */
export const firing = (name: string) =>
  `max without (alertname, alertstate) (ALERTS{alertname="${name}", alertstate="firing"})`;

function ruleOf(alert: Alert): object {
  const annotations = Object.entries(annotationsOf(alert)).map(([name, text]) => [name, forGrafana(text)]);
  return {
    ...rule(alert.name, firing(alert.name)),
    // Without a series the alert does not fire.
    noDataState: 'OK',
    // One rule tells that Prometheus cannot be asked, not all of them.
    execErrState: 'OK',
    for: '0s',
    annotations: Object.fromEntries(annotations) as Record<string, string>,
    labels: { severity: alert.severity },
  };
}

/** Without Prometheus no alert can fire, so somebody has to hear of it. */
function unreachableRule(): object {
  const name = 'SluicePrometheusUnreachable';
  return {
    ...rule(name, 'vector(0)'),
    noDataState: 'Alerting',
    execErrState: 'Alerting',
    for: '2m',
    annotations: {
      summary: 'Grafana cannot ask Prometheus, so no other alert on Sluice can be sent.',
      description: 'Nothing is known of the gateways. What to do: See whether Prometheus runs.',
      runbook_url: runbookUrl(name),
    },
    labels: { severity: 'page' },
  };
}

function rule(name: string, expr: string): object {
  return {
    uid: name.toLowerCase(),
    title: name,
    condition: 'B',
    data: [
      {
        refId: 'A',
        relativeTimeRange: { from: LOOK_BACK_SECONDS, to: 0 },
        datasourceUid: PROMETHEUS_UID,
        model: { refId: 'A', expr, instant: true, range: false },
      },
      {
        refId: 'B',
        relativeTimeRange: { from: LOOK_BACK_SECONDS, to: 0 },
        datasourceUid: EXPRESSION,
        model: {
          refId: 'B',
          type: 'threshold',
          expression: 'A',
          conditions: [{ evaluator: { type: 'gt', params: [0] } }],
        },
      },
    ],
  };
}

/** Grafana replaces `$name` in files of provisioning by environment variables, so the template has no dollar. */
const forGrafana = (text: string) => text.replaceAll('$labels.', '.Labels.');
