import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ACCESS_REASONS } from '../../src/admin/access/refusals.ts';
import { histogram } from '../../src/admin/figures.ts';
import { METRICS, renderMetrics, unitOf } from '../../src/admin/metrics.ts';
import { byProcess } from '../../src/admin/per-process.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { CONNECTION_STAGES } from '../../src/admin/stages.ts';
import { CLOSE_REASONS } from '../../src/protocol/close-reasons.ts';
import { CODE_NAMES } from '../../src/protocol/codes.ts';
import { FOREIGN_PROTOCOLS } from '../../src/protocol/foreign-protocol.ts';
import { countsByFailure } from '../../src/protocol/handshake-failures.ts';
import { countsByProxyResult } from '../../src/protocol/proxy-results.ts';
import { countsByResumeAnswer } from '../../src/protocol/resume-answers.ts';
import { SERVER_FULL } from '../../src/protocol/server-full.ts';
import { UNAUTHORIZED } from '../../src/protocol/unauthorized.ts';
import { programOfPrometheus } from '../support/prometheus.ts';
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
    const sample = /^([a-z0-9_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) (\S+)$/.exec(line);
    assert.ok(sample !== null, `not a line of the text format: ${line}`);
    const [, series = '', value = ''] = sample;
    assert.ok(!parsed.samples.has(series), `${series} only once`);
    assert.ok(Number.isFinite(Number(value)), line);
    parsed.samples.set(series, Number(value));
  }
  return parsed;
}

/** A histogram's samples have suffixes. */
function metricOf(sample: string, types: ReadonlyMap<string, string>): string {
  const base = sample.replace(/_(bucket|sum|count)$/, '');
  return types.get(base) === 'histogram' ? base : sample;
}

/** With a sample of each metric. */
function fullSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  const one = sampleSnapshot(changes);
  const processes = ['0', '1'].map((name) => ({ name, answers: true, snapshot: one }));
  return { ...one, byProcess: byProcess(processes, one.process) };
}

const PROXY_RESULTS = Object.keys(countsByProxyResult());
const REASONS = Object.keys(SERVER_FULL);

test('every sample has a TYPE and a HELP, and every metric has a sample', async () => {
  const { types, helps, samples } = parse(await renderMetrics(fullSnapshot()));
  const sampled = new Set([...samples.keys()].map((series) => metricOf(series.replace(/\{.*/, ''), types)));
  const names = METRICS.map((metric) => metric.name);
  assert.deepEqual([...sampled], names);
  assert.deepEqual([...types.keys()], names);
  assert.deepEqual([...helps.keys()], names);
});

/** Units that Prometheus knows beside the base units seconds and bytes, and short forms of units. */
const OTHER_UNITS =
  /_(milliseconds|microseconds|minutes|hours|days|weeks|kilobytes|megabytes|bits|percent|ms|us|ns|secs?|mins?|kb|mb|gb|kib|mib|gib)(_|$)/;

test('names and help keep the conventions of Prometheus, as promtool checks them', () => {
  const names = METRICS.map(({ name }) => name);
  assert.deepEqual([...new Set(names)], names, 'no name twice');
  for (const { name, type, help, labels } of METRICS) {
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.match(name, /^(sluice|process|nodejs)_[a-z0-9_]+$/);
    assert.doesNotMatch(name, OTHER_UNITS);
    assert.doesNotMatch(name, /_(count|sum|bucket|info_total|gauge|counter|histogram|summary)$/);
    assert.match(help, /^[A-Z0-9].*\.$/, name);
    assert.equal(unitOf(name) === 'seconds', /(^|_)seconds(_|$)/.test(name), name);
    for (const label of labels) assert.match(label, /^(?!le$|quantile$|__)[a-z]+$/, name);
  }
});

test('promtool has nothing to say about the text', async (t) => {
  const promtool = programOfPrometheus(t, 'promtool');
  if (promtool === undefined) return;
  const input = await renderMetrics(fullSnapshot());
  const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input, encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});

test('a gateway that is drained or stops says so, and no other one', async () => {
  const drained = async (finding: string) => {
    const component = { id: 'processes', state: 'degraded', finding, reason: '', remedy: null } as const;
    const { samples } = parse(await renderMetrics(fullSnapshot({ components: [component] })));
    return samples.get('sluice_draining');
  };
  assert.deepEqual(await Promise.all(['draining', 'stopping', 'hung', 'ok'].map(drained)), [1, 1, 0, 0]);
});

test('the values are those of the snapshot', async () => {
  const { samples } = parse(await renderMetrics(fullSnapshot()));
  const platform = `${process.platform}-${process.arch}`;
  const build = `version="1.2.3",node="${process.versions.node}",platform="${platform}"`;
  assert.equal(samples.get(`sluice_build_info{${build}}`), 1);
  assert.equal(samples.get('sluice_ready'), 1);
  assert.equal(samples.get('sluice_refusals_total{code="invalid_json"}'), 2);
  assert.equal(samples.get('sluice_refusals_total{code="slow_reader"}'), 0);
  assert.equal(samples.get('sluice_records{state="in_flight"}'), 20);
  assert.equal(samples.get('process_cpu_seconds_total'), 2.5);
  assert.equal(samples.get('nodejs_eventloop_lag_p99_seconds'), 0.003);
});

test('what is in no state of a record or a line is a figure, and 0', async () => {
  const base = sampleSnapshot();
  const sampled = async (snapshot: Snapshot) => {
    const { samples } = parse(await renderMetrics(snapshot));
    return [samples.get('sluice_unaccounted_records'), samples.get('sluice_unaccounted_lines')];
  };
  assert.deepEqual(await sampled(base), [0, 0]);
  const records = { ...base.records, accepted: base.records.accepted + 3 };
  const lines = { ...base.lines, waiting: base.lines.waiting + 2 };
  assert.deepEqual(await sampled({ ...base, records, lines }), [3, -2]);
});

test('a process that differs from the others can be seen', async () => {
  const [one, other] = [sampleSnapshot(), sampleSnapshot()];
  const snapshot = { ...other, connections: { ...other.connections, active: 0 } };
  const processes = [
    { name: '0', answers: true, snapshot: one },
    { name: '1', answers: false, snapshot },
    { name: '2', answers: false, snapshot: undefined },
  ];
  const { samples } = parse(
    await renderMetrics({ ...one, byProcess: byProcess(processes, { ...one.process, cpuSeconds: 9 }) }),
  );
  const of = (name: string, process: string) => samples.get(`${name}{process="${process}"}`);
  assert.deepEqual(
    ['0', '1', '2'].map((name) => of('sluice_process_up', name)),
    [1, 0, 0],
  );
  assert.deepEqual(
    ['0', '1', '2'].map((name) => of('sluice_process_connections', name)),
    [12, 0, undefined],
  );
  assert.equal(of('sluice_process_cpu_seconds_total', 'first'), 9);
});

test('the metrics alone show the balances of lines and of records', async () => {
  const { samples } = parse(await renderMetrics(fullSnapshot()));
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
  const { empty, merge, metric } = histogram('sluice_test_seconds', 'Time of a test.', [0.1, 1]);
  assert.ok(metric);
  const one = { bounds: [0.1, 1], counts: [2, 1, 1], sum: 0.3 };
  const read = () => metric.series(merge([one, empty, one]));
  assert.equal(
    await renderMetrics(sampleSnapshot(), [{ ...metric, labels: [], read }]),
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
  const before = parse(await renderMetrics(fullSnapshot()));
  const base = fullSnapshot();
  const strange = { ...base.lines.refused, '"} 1\nforged{x="': 5 };
  const kafka = { ...base.kafka, connected: false, lastError: 'broker "x" said\nno', problems: ['a', 'b'] };
  const readiness = { ready: false, reasons: ['a', 'b'] };
  const lines = { ...base.lines, refused: strange };
  const after = parse(await renderMetrics(fullSnapshot({ uptimeSeconds: 1e6, readiness, lines, kafka })));
  assert.deepEqual([...after.samples.keys()], [...before.samples.keys()]);
  const labels = [
    CODE_NAMES,
    REASONS,
    FOREIGN_PROTOCOLS,
    ACCESS_REASONS,
    PROXY_RESULTS,
    Object.keys(countsByResumeAnswer()),
    CLOSE_REASONS,
    CONNECTION_STAGES,
    Object.keys(base.lines.plain),
    Object.keys(UNAUTHORIZED),
    Object.keys(countsByFailure()),
    Object.keys(base.tls.daysLeft),
    Object.keys(base.tls.lifetimeDays),
    Object.keys(base.records).filter((name) => ['open', 'inFlight', 'spooled'].includes(name)),
    ...Object.values(base.byProcess).map(Object.keys),
  ];
  const plain = METRICS.filter(({ name, type, labels }) => {
    return type !== 'histogram' && (labels.length === 0 || name === 'sluice_build_info');
  });
  const buckets = [...before.samples.keys()].filter((series) => /_(bucket\{.*|sum|count)$/.test(series));
  assert.equal(before.samples.size, plain.length + labels.flat().length + buckets.length);
  assert.ok(buckets.length < 200, `${buckets.length} series of histograms`);
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
