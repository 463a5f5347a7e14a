import assert from 'node:assert/strict';
import { test } from 'node:test';
import { histogram } from '../../src/admin/figures.ts';
import { METRICS, renderMetrics } from '../../src/admin/metrics.ts';
import { CODE_NAMES } from '../../src/protocol/codes.ts';
import { FOREIGN_PROTOCOLS } from '../../src/protocol/foreign-protocol.ts';
import { SERVER_FULL } from '../../src/protocol/server-full.ts';
import { sampleSnapshot } from './sample-snapshot.ts';

interface Parsed {
  readonly types: Map<string, string>;
  readonly helps: Map<string, string>;
  readonly samples: Map<string, number>;
}

/** Parses the text format 0.0.4, as far as /metrics uses it: HELP, TYPE and samples without timestamps. */
function parse(text: string): Parsed {
  const parsed: Parsed = { types: new Map(), helps: new Map(), samples: new Map() };
  assert.ok(text.endsWith('\n'));
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const comment = /^# (HELP|TYPE) ([a-z0-9_]+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      const into = kind === 'HELP' ? parsed.helps : parsed.types;
      assert.ok(!into.has(name), `${kind} of ${name} only once`);
      into.set(name, rest);
      continue;
    }
    const sample = /^([a-z0-9_]+(?:\{[a-z]+="[^"]*"\})?) (\S+)$/.exec(line);
    assert.ok(sample !== null, `not a line of the text format: ${line}`);
    const [, series = '', value = ''] = sample;
    assert.ok(!parsed.samples.has(series), `${series} only once`);
    assert.ok(Number.isFinite(Number(value)), line);
    parsed.samples.set(series, Number(value));
  }
  return parsed;
}

const REASONS = Object.keys(SERVER_FULL);

test('every sample has a TYPE and a HELP, and every metric has a sample', async () => {
  const { types, helps, samples } = parse(await renderMetrics(sampleSnapshot()));
  const sampled = new Set([...samples.keys()].map((series) => series.replace(/\{.*/, '')));
  const names = METRICS.map((metric) => metric.name);
  assert.deepEqual([...sampled], names);
  assert.deepEqual([...types.keys()], names);
  assert.deepEqual([...helps.keys()], names);
});

test('names of counters and of no other metric end in _total, and help is a sentence', () => {
  for (const { name, type, help } of METRICS) {
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.match(name, /^(sluice|process|nodejs)_[a-z0-9_]+$/);
    assert.match(help, /^[A-Z0-9].*\.$/, name);
  }
});

test('the values are those of the snapshot', async () => {
  const { samples } = parse(await renderMetrics(sampleSnapshot()));
  assert.equal(samples.get('sluice_build_info{version="1.2.3"}'), 1);
  assert.equal(samples.get('sluice_ready'), 1);
  assert.equal(samples.get('sluice_refusals_total{code="invalid_json"}'), 2);
  assert.equal(samples.get('sluice_refusals_total{code="slow_reader"}'), 0);
  assert.equal(samples.get('sluice_records{state="in_flight"}'), 20);
  assert.equal(samples.get('process_cpu_seconds_total'), 2.5);
  assert.equal(samples.get('nodejs_eventloop_lag_p99_seconds'), 0.003);
});

test('the metrics alone show the balances of lines and of records', async () => {
  const { samples } = parse(await renderMetrics(sampleSnapshot()));
  const sum = (...series: string[]) =>
    series.reduce((total, each) => total + (samples.get(each) ?? Number.NaN), 0);
  assert.equal(
    sum('sluice_lines_received_total'),
    sum('sluice_lines_accepted_total', 'sluice_lines_refused_total', 'sluice_lines_waiting'),
  );
  const states = ['open', 'in_flight', 'spooled'].map((state) => `sluice_records{state="${state}"}`);
  assert.equal(
    sum('sluice_records_accepted_total'),
    sum('sluice_records_confirmed_total', 'sluice_records_dead_lettered_total', ...states),
  );
});

test('a histogram has its cumulative buckets, its sum and its count, added up over processes', async () => {
  const { empty, merge, metric } = histogram('sluice_test_seconds', 'Time of a test.');
  assert.ok(metric);
  const one = {
    sum: 0.3,
    buckets: [
      ['0.1', 2],
      ['1', 3],
      ['+Inf', 4],
    ],
  } as const;
  const read = () => metric.series(merge([one, empty, one]));
  assert.equal(
    await renderMetrics(sampleSnapshot(), [{ ...metric, read }]),
    `# HELP sluice_test_seconds Time of a test.
# TYPE sluice_test_seconds histogram
sluice_test_seconds_bucket{le="0.1"} 4
sluice_test_seconds_bucket{le="1"} 6
sluice_test_seconds_bucket{le="+Inf"} 8
sluice_test_seconds_sum 0.6
sluice_test_seconds_count 8
`,
  );
});

test('the number of series is fixed, whatever the snapshot holds', async () => {
  const before = parse(await renderMetrics(sampleSnapshot()));
  const base = sampleSnapshot();
  const strange = { ...base.lines.refused, '"} 1\nforged{x="': 5 };
  const kafka = { ...base.kafka, connected: false, lastError: 'broker "x" said\nno', problems: ['a', 'b'] };
  const readiness = { ready: false, reasons: ['a', 'b'] };
  const lines = { ...base.lines, refused: strange };
  const after = parse(await renderMetrics(sampleSnapshot({ uptimeSeconds: 1e6, readiness, lines, kafka })));
  assert.deepEqual([...after.samples.keys()], [...before.samples.keys()]);
  const labelled = CODE_NAMES.length + REASONS.length + FOREIGN_PROTOCOLS.length;
  assert.equal(before.samples.size, METRICS.length - 4 + labelled + 3);
});

test('scrapes at once each give their own snapshot, and totals do not add up over scrapes', async () => {
  const texts = await Promise.all(
    [100, 200, 300].map((uptimeSeconds) => renderMetrics(sampleSnapshot({ uptimeSeconds }))),
  );
  for (const [index, { samples }] of texts.map(parse).entries()) {
    assert.equal(samples.get('sluice_uptime_seconds'), 100 * (index + 1));
    assert.equal(samples.get('sluice_lines_received_total'), 1008);
  }
});
