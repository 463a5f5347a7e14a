// Builds deploy/prometheus/rules.yml and rules.test.yml, the unit tests of the rules that promtool runs.
import type { Alert, Cases, Labels, TestSeries } from './alerts/alert.ts';
import { ALERTS } from './alerts/table.ts';
import { runbookUrl } from './pages.ts';
import { yamlText } from './yaml.ts';

const GENERATED = '# Generated from scripts/monitoring/alerts by `npm run docs`. Do not edit.\n';

/** For rule_files of Prometheus. */
export function rulesFile(): string {
  const rules = ALERTS.map((alert) => ({
    alert: alert.name,
    expr: alert.expr,
    for: alert.for,
    labels: { severity: alert.severity },
    annotations: annotationsOf(alert),
  }));
  return `${GENERATED}${yamlText({ groups: [{ name: 'sluice', rules }] })}`;
}

/** With templates, in the syntax of Prometheus. */
export function annotationsOf({ name, summary, meaning, remedy }: Alert): Record<string, string> {
  const description = withoutLinks(`${meaning} What to do: ${remedy}`);
  return { summary, description, runbook_url: runbookUrl(name) };
}

/** Pages and anchors mean nothing in a message. */
const withoutLinks = (text: string) => text.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1');

/**
 * Two tests for each case of an alert: of two gateways only the sick one gets the alert, and not before its time; the other
 * one alone gets none.
 */
export function rulesTestFile(): string {
  const tests = ALERTS.flatMap((alert) => alert.cases.flatMap((each, index) => testsOf(alert, each, index)));
  return `${GENERATED}# promtool test rules deploy/prometheus/rules.test.yml
${yamlText({ rule_files: ['rules.yml'], evaluation_interval: '1m', tests })}`;
}

function testsOf(alert: Alert, { at, early, firing, silent, labels }: Cases, index: number): object[] {
  const { name, expr, severity } = alert;
  const none: object[] = [];
  const fired = [{ exp_labels: { severity, ...labels }, exp_annotations: rendered(alert, labels) }];
  const before = early ?? minuteBefore(alert.for);
  const checks = [
    ...(before === undefined ? [] : [{ eval_time: before, alertname: name, exp_alerts: none }]),
    { eval_time: at, alertname: name, exp_alerts: fired },
  ];
  const number = index === 0 ? '' : ` ${index + 1}`;
  // With a gateway that is well, nothing is absent.
  const both = expr.startsWith('absent(') ? firing : [...firing, ...silent];
  return [
    test(`${name} fires${number}`, both, checks),
    test(`${name} is silent${number}`, silent, [{ eval_time: at, alertname: name, exp_alerts: none }]),
  ];
}

function test(name: string, series: readonly TestSeries[], checks: readonly object[]): object {
  const input_series = series.map(({ metric, labels, values }) => ({
    series: `${metric}${braces(labels)}`,
    values,
  }));
  return { name, interval: '1m', input_series, alert_rule_test: checks };
}

const braces = (labels: Labels) =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}}`;

/** As Prometheus fills in the labels. */
function rendered(alert: Alert, labels: Labels): Record<string, string> {
  const fill = (text: string) =>
    text.replace(/\{\{ \$labels\.([a-z]+) \}\}/g, (_, name: string) => labels[name] ?? '');
  return Object.fromEntries(Object.entries(annotationsOf(alert)).map(([name, text]) => [name, fill(text)]));
}

/** The last minute at which an alert whose condition held from the beginning is still pending. */
function minuteBefore(time: string): string | undefined {
  const minutes = /^\d+h$/.test(time) ? Number.parseInt(time, 10) * 60 : Number.parseInt(time, 10);
  return minutes > 0 ? `${minutes - 1}m` : undefined;
}
