// The dashboard as Grafana reads it. That its parts are those of Grafana's schema, the compiler holds
// (scripts/monitoring/dashboard.ts).
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withVariables } from '../../scripts/monitoring/dashboard.ts';
import { docsUrl } from '../../scripts/monitoring/pages.ts';
import { anchorsOf } from '../support/markdown.ts';
import { dashboard, ROOT, read } from './files.ts';

const { panels, templating, links } = dashboard();

test('the dashboard has a row for each part, and its panels do not overlap', () => {
  const rows = panels.filter(({ type }) => type === 'row').map(({ title }) => title);
  assert.deepEqual(rows, [
    'Is it ready?',
    'Devices',
    'Flow',
    'Latency',
    'Kafka',
    'Spool',
    'Dead letters and presence',
    'Processes, CPU and memory',
    'Refusals by code',
    'HAProxy',
  ]);
  const ids = panels.map(({ id }) => id);
  assert.deepEqual([...new Set(ids)], ids);
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x},${y}`), `${title} lies on another panel`);
        taken.add(`${x},${y}`);
      }
  }
});

test('each panel asks something, says what it shows, and links to a page that exists', () => {
  const pages = [...panels.flatMap(({ description = '' }) => description.match(/https:[^)]+/g) ?? [])];
  assert.equal(pages.length, panels.filter(({ type }) => type !== 'row').length);
  for (const url of [...pages, ...links.map((link) => link.url)]) {
    assert.ok(url.startsWith(docsUrl('')), url);
    const [page = '', anchor] = url.slice(docsUrl('').length).split('#');
    assert.ok(existsSync(join(ROOT, 'docs', page)), url);
    if (anchor !== undefined) assert.ok(anchorsOf(read(`docs/${page}`)).includes(anchor), url);
  }
  for (const { title, type, targets = [] } of panels) {
    if (type === 'row') continue;
    assert.ok(targets.length > 0, title);
    const refs = targets.map(({ refId }) => refId);
    assert.deepEqual([...new Set(refs)], refs, title);
  }
});

test('the gateways are chosen by job and instance, in every query on them', () => {
  assert.deepEqual(
    templating.list.map(({ name }) => name),
    ['datasource', 'job', 'instance'],
  );
  assert.equal(
    withVariables('rate(sluice_a_total[5m])'),
    'rate(sluice_a_total{job=~"$job", instance=~"$instance"}[$__rate_interval])',
  );
  assert.equal(withVariables('sum by (process) (x{a="b"})'), 'sum by (process) (x{a="b"})');
  assert.equal(withVariables('up{a="b"}'), 'up{a="b", job=~"$job", instance=~"$instance"}');
  const free = panels
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .filter((expr) => !expr.includes('$instance'));
  assert.deepEqual(free, [
    'ALERTS{alertname=~"Sluice.*"}',
    'sum by (proxy) (haproxy_server_status{state="UP"})',
    'haproxy_server_current_sessions',
  ]);
});
