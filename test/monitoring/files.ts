// Reads the files of deploy/prometheus and deploy/grafana as they are, for the tests.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const PROMETHEUS = join(ROOT, 'deploy/prometheus');
export const PROVISIONING = join(ROOT, 'deploy/grafana/provisioning');

export const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuleTest {
  readonly name: string;
  readonly input_series: readonly { readonly series: string; readonly values: string }[];
  readonly alert_rule_test: readonly {
    readonly alertname: string;
    readonly eval_time: string;
    readonly exp_alerts: readonly unknown[];
  }[];
}

export function rules(): readonly Rule[] {
  const file = parse(read('deploy/prometheus/rules.yml')) as {
    groups: readonly { rules: readonly Rule[] }[];
  };
  return file.groups.flatMap((group) => group.rules);
}

export function ruleTests(): readonly RuleTest[] {
  return (parse(read('deploy/prometheus/rules.test.yml')) as { tests: readonly RuleTest[] }).tests;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly links: readonly { readonly url: string }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
}

export const dashboard = () => JSON.parse(read('deploy/grafana/dashboards/sluice.json')) as Dashboard;

/** As Grafana fills in the variables when all gateways are chosen. */
export const filled = (expr: string) =>
  expr.replaceAll('$job', '.*').replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m');

/** Every query of the dashboard, with the title of its panel. */
export const panelQueries = () =>
  dashboard().panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ title, expr: filled(expr) })),
  );
