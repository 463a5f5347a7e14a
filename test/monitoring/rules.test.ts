// The files of deploy/prometheus, judged by promtool, and held to the docs and to Grafana's alerts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { anchorsOf } from '../support/markdown.ts';
import { programOfPrometheus } from '../support/prometheus.ts';
import { PROMETHEUS, PROVISIONING, read, rules, ruleTests } from './files.ts';

const OPERATIONS = read('docs/operations.md');
const { repository } = JSON.parse(read('package.json')) as { repository: { url: string } };
const RUNBOOK = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main/docs/operations.md#`;

function promtool(t: TestContext, ...args: string[]): { status: number | null; said: string } | undefined {
  const program = programOfPrometheus(t, 'promtool');
  if (program === undefined) return undefined;
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: PROMETHEUS, encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
}

test('promtool takes the configuration with its rules', (t) => {
  const result = promtool(t, 'check', 'config', 'prometheus.yml');
  if (result === undefined) return;
  assert.equal(result.status, 0, result.said);
  assert.match(result.said, new RegExp(`SUCCESS: ${rules().length} rules found`));
});

test('promtool finds that each alert fires when it should, and is silent just below', (t) => {
  const result = promtool(t, 'test', 'rules', 'rules.test.yml');
  if (result === undefined) return;
  assert.equal(result.status, 0, result.said);
});

test('each alert has a unit test in which it fires, and one in which it is silent from first to last', () => {
  const of = (isFiring: boolean) => {
    const tests = ruleTests().filter(
      ({ alert_rule_test: checks }) => checks.some(({ exp_alerts }) => exp_alerts.length > 0) === isFiring,
    );
    return new Set(tests.flatMap(({ alert_rule_test: checks }) => checks.map(({ alertname }) => alertname)));
  };
  const names = rules().map(({ alert }) => alert);
  assert.deepEqual([...new Set(names)], names, 'no name twice');
  assert.deepEqual([...of(true)], names);
  assert.deepEqual([...of(false)], names);
  // A test without series would be silent, however wrong the rule is.
  for (const { input_series, name } of ruleTests()) assert.ok(input_series.length > 0, name);
});

for (const { alert, expr, for: time, labels, annotations } of rules()) {
  test(`the alert ${alert} says what happens and what to do, and its runbook exists`, () => {
    assert.match(alert, /^Sluice[A-Z][A-Za-z]+$/);
    assert.match(time, /^\d+[smh]$/);
    assert.ok(['page', 'ticket'].includes(labels.severity ?? ''));
    const { summary = '', description = '', runbook_url: runbook = '' } = annotations;
    assert.match(summary, /^[A-Z{].*\.$/);
    assert.match(description, /^[A-Z].*\. What to do: .+\.$/);
    assert.ok(runbook.startsWith(RUNBOOK), runbook);
    const anchor = runbook.slice(RUNBOOK.length);
    assert.ok(anchorsOf(OPERATIONS).includes(anchor), `no heading for #${anchor}`);
    // With several gateways an operator has to see which one it is.
    if (!expr.startsWith('absent(')) assert.match(summary, /\{\{ \$labels\.instance \}\}/);
    assert.doesNotMatch(expr, /\bsum\(|\bsum by/, 'a sum over gateways hides which one it is');
  });
}

interface GrafanaRule {
  readonly uid: string;
  readonly title: string;
  readonly condition: string;
  readonly data: readonly { readonly refId: string; readonly datasourceUid: string; readonly model: Model }[];
  readonly noDataState: string;
  readonly execErrState: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

interface Model {
  readonly expr?: string;
  readonly expression?: string;
}

const provisioned = <T>(file: string) => parse(read(`deploy/grafana/provisioning/${file}`)) as T;

test('Grafana has a rule for each alert of Prometheus, with its texts, and one for Prometheus itself', () => {
  const { groups } = provisioned<{ groups: readonly { rules: readonly GrafanaRule[] }[] }>(
    'alerting/rules.yml',
  );
  const own = groups.flatMap((group) => group.rules);
  const ours = rules();
  assert.deepEqual(
    own.map(({ title }) => title),
    [...ours.map(({ alert }) => alert), 'SluicePrometheusUnreachable'],
  );
  assert.equal(new Set(own.map(({ uid }) => uid)).size, own.length);
  const [{ uid: source } = { uid: '' }] = provisioned<{ datasources: readonly { uid: string }[] }>(
    'datasources/prometheus.yml',
  ).datasources;
  for (const { uid, title, condition, data, annotations, labels } of own) {
    assert.match(uid, /^[a-z]{1,40}$/);
    const [query, threshold] = data;
    assert.deepEqual(
      [query?.datasourceUid, threshold?.datasourceUid, threshold?.refId, threshold?.model.expression],
      [source, '__expr__', condition, query?.refId],
    );
    const anchor = annotations.runbook_url?.split('#')[1] ?? '';
    assert.ok(anchorsOf(OPERATIONS).includes(anchor), `no heading for #${anchor}`);
    const rule = ours.find(({ alert }) => alert === title);
    if (rule === undefined) continue;
    assert.ok(query?.model.expr?.includes(`alertname="${title}"`));
    assert.deepEqual(labels, rule.labels);
    // Grafana replaces $name in these files by a variable of its environment.
    assert.doesNotMatch(JSON.stringify(annotations), /\$/);
    assert.equal(annotations.summary?.replaceAll('.Labels.', '$labels.'), rule.annotations.summary);
    assert.equal(annotations.description, rule.annotations.description);
  }
});

test('Grafana would not refuse a file of its provisioning', () => {
  // Another ending in this folder stops Grafana.
  for (const file of readdirSync(join(PROVISIONING, 'alerting'))) assert.match(file, /\.(yml|yaml|json)$/);
  const { providers } = provisioned<{ providers: readonly { options: { path: string } }[] }>(
    'dashboards/sluice.yml',
  );
  assert.deepEqual(
    providers.map(({ options }) => options.path),
    ['/var/lib/grafana/dashboards'],
  );
  // Its scheduler ticks every 10 s. With an interval that is no multiple of that, Grafana ends at its start.
  const { groups } = provisioned<{ groups: readonly { interval: string }[] }>('alerting/rules.yml');
  for (const { interval } of groups) assert.match(interval, /^[1-9]\d*0s$|^[1-9]\d*m$/);
});

test('the example of a contact point names the labels that alerts have', () => {
  interface Policy {
    readonly receiver: string;
    readonly routes: readonly { readonly object_matchers: readonly (readonly string[])[] }[];
  }
  const { contactPoints, policies } = parse(read('deploy/grafana/contact-points.example.yml')) as {
    contactPoints: readonly { readonly name: string }[];
    policies: readonly Policy[];
  };
  const names = contactPoints.map(({ name }) => name);
  for (const { receiver, routes } of policies) {
    assert.ok(names.includes(receiver));
    for (const [label, , value] of routes.flatMap(({ object_matchers }) => object_matchers)) {
      assert.equal(label, 'severity');
      assert.ok(rules().some(({ labels }) => labels.severity === value));
    }
  }
});
