// Each query of the dashboard and of the rules parses, and names metrics and labels that the gateway has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRICS } from '../../src/admin/metrics.ts';
import { panelQueries, rules } from './files.ts';
import { parsePromql } from './promql.ts';

/** Labels that Prometheus adds to all that it scrapes. */
const OF_TARGET = ['instance', 'job'];
/** Series of Prometheus itself and of HAProxy; a real HAProxy is asked in prometheus.test.ts. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  ALERTS: ['alertname', 'alertstate', 'severity'],
  haproxy_server_status: ['proxy', 'server', 'state'],
  haproxy_server_current_sessions: ['proxy', 'server'],
};

/** The labels of each series, by its name. */
const labelsOf = new Map<string, readonly string[]>([
  ...Object.entries(OTHERS),
  ...METRICS.flatMap(({ name, type, labels }): [string, readonly string[]][] =>
    type === 'histogram'
      ? [
          [`${name}_bucket`, ['le']],
          [`${name}_sum`, []],
          [`${name}_count`, []],
        ]
      : [[name, labels]],
  ),
]);

test('a wrong query is found: the parser and the names are really looked at', () => {
  assert.equal(parsePromql('sum(rate(x[5m])').hasErrors, true);
  const { hasErrors, metrics, labels } = parsePromql('sum by (le) (rate(x_bucket{le="1"}[5m])) > y');
  assert.deepEqual([hasErrors, metrics, labels], [false, ['x_bucket', 'y'], ['le', 'le']]);
});

const queries = [
  ...rules().map(({ alert, expr }) => ({ of: `alert ${alert}`, expr })),
  ...panelQueries().map(({ title, expr }) => ({ of: `panel ${title}`, expr })),
];

test('there are queries of more than thirty alerts and of every panel', () => {
  assert.ok(rules().length >= 30);
  assert.ok(panelQueries().length >= 50);
});

for (const { of, expr } of queries) {
  test(`PromQL parses, and its metrics and labels exist: ${of}: ${expr}`, () => {
    const { hasErrors, metrics, labels } = parsePromql(expr);
    assert.equal(hasErrors, false, expr);
    assert.ok(metrics.length > 0 || expr === 'vector(0)');
    const known = new Set([...OF_TARGET, ...metrics.flatMap((metric) => labelsOf.get(metric) ?? [])]);
    for (const metric of metrics) assert.ok(labelsOf.has(metric), `${metric} in ${expr}`);
    for (const label of labels) assert.ok(known.has(label), `${label} in ${expr}`);
  });
}
