import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parser } from '@prometheus-io/lezer-promql';
import { ALERTS, QUERIES } from '../../scripts/docs/queries.ts';
import { METRICS } from '../../src/admin/metrics.ts';

interface Parsed {
  readonly hasErrors: boolean;
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

/** Parses PromQL with the grammar of Prometheus's own editor. */
function parse(expr: string): Parsed {
  let hasErrors = false;
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ type, name, from, to, node }) => {
      const text = expr.slice(from, to);
      if (type.isError) hasErrors = true;
      else if (name === 'Identifier' && node.parent?.name === 'VectorSelector') metrics.push(text);
      else if (name === 'LabelName') labels.push(text);
    },
  });
  return { hasErrors, metrics, labels };
}

/** The series that /metrics has, by name. */
const labelsOf = new Map<string, readonly string[]>(
  METRICS.flatMap(({ name, type, labels }): [string, readonly string[]][] =>
    type === 'histogram'
      ? [
          [`${name}_bucket`, ['le']],
          [`${name}_sum`, []],
          [`${name}_count`, []],
        ]
      : [[name, labels]],
  ),
);

test('a wrong query is found: the parser and the names are really looked at', () => {
  assert.equal(parse('sum(rate(x[5m])').hasErrors, true);
  const { hasErrors, metrics, labels } = parse('sum by (le) (rate(x_bucket{le="1"}[5m])) > y');
  assert.deepEqual([hasErrors, metrics, labels], [false, ['x_bucket', 'y'], ['le', 'le']]);
});

for (const { name, expr } of [...QUERIES.map(({ shows, expr }) => ({ name: shows, expr })), ...ALERTS]) {
  test(`PromQL parses, and its metrics and labels exist: ${name}`, () => {
    const { hasErrors, metrics, labels } = parse(expr);
    assert.equal(hasErrors, false, expr);
    assert.ok(metrics.length > 0);
    for (const metric of metrics) {
      assert.ok(labelsOf.has(metric), `${metric} in ${expr}`);
      for (const label of labels) assert.ok(labelsOf.get(metric)?.includes(label), `${label} of ${metric}`);
    }
  });
}

test('each alert has a name of its own and a sentence', () => {
  const names = ALERTS.map(({ name }) => name);
  assert.deepEqual([...new Set(names)], names);
  for (const { name, says, for: time } of ALERTS) {
    assert.match(name, /^Sluice[A-Z][A-Za-z]+$/);
    assert.match(says, /\.$/);
    assert.match(time, /^\d+[smh]$/);
  }
});
