// The arithmetic, limits, comparisons and pages of the bench, whose faults nobody would notice.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FIRST_SEQ, linePool, POOL_LINES, SEQ_DIGITS, SEQ_OFFSET } from '../../bench/devices/lines.ts';
import { benchSection, readmeTable } from '../../bench/report/benchmarks-page.ts';
import type { Figures, ScenarioResult } from '../../bench/report/columns.ts';
import { compare } from '../../bench/report/compare.ts';
import { type Limit, missed, parseLimit } from '../../bench/report/limits.ts';
import { resultTable } from '../../bench/report/report.ts';
import {
  type BenchFile,
  BenchFileError,
  mergeFiles,
  parseBenchFile,
} from '../../bench/report/results-file.ts';
import { TARGETS } from '../../bench/report/targets.ts';
import { selfTimes } from '../../bench/scenarios/cpu-profile.ts';
import type { DrainFigures } from '../../bench/scenarios/drain.ts';
import type { Measurement } from '../../bench/scenarios/measure.ts';
import type { PairFigures } from '../../bench/scenarios/pair.ts';
import { SCENARIOS } from '../../bench/scenarios/scenarios.ts';
import type { SpoolFigures } from '../../bench/scenarios/spool.ts';
import { lacksForStormMany } from '../../bench/scenarios/storm-many.ts';
import type { TlsFigures } from '../../bench/scenarios/tls.ts';
import { median, percentilesOf } from '../../bench/statistics.ts';

const measurement = (multiple: number, p99?: number): Measurement => ({
  kind: 'load',
  messages: 1000,
  seconds: 1,
  perSecond: 1000,
  serverCpuUs: multiple,
  loadCpuUs: 1,
  jsonParseUs: 1,
  multiple,
  busyJsonParseUs: 1,
  busyMultiple: multiple,
  residentMiB: 100,
  ...(p99 !== undefined && { latencyMs: { p50: 1, p95: 2, p99, max: 100 } }),
  windowUs: [0, 1e6],
});

const side = (p99: number) => ({
  messages: 1000,
  perSecond: 1000,
  serverCpuUs: 2,
  storedMs: { p50: 1, p95: 2, p99, max: 100 },
  residentMiB: 100,
});

const spool = (ratio: number, p99: number): SpoolFigures => ({
  kind: 'spool',
  up: side(1),
  down: side(p99),
  ratio,
  pacedPerSecond: 500,
  windowUs: [0, 1e6],
});

const drain = (times: number): DrainFigures => ({
  kind: 'drain',
  backlog: 500,
  seconds: 1,
  perSecond: times * 10,
  arrivingPerSecond: 10,
  times,
  waitMs: 5,
  serverCpuUs: 2,
  storedMs: { p50: 1, p95: 2, p99: 3, max: 4 },
  residentMiB: 100,
  windowUs: [0, 1e6],
});

const pair = (ours: number, against: number): PairFigures => ({
  kind: 'pair',
  ours: { ...side(1), name: 'ours', perSecond: ours },
  against: { ...side(1), name: 'against', perSecond: against },
  ratio: ours / against,
  cpuRatio: 1,
  windowUs: [0, 1e6],
});

const tls = (handshakes: number, kb: number, haproxy?: number): TlsFigures => {
  const beside = (gateway: number, bare: number) => ({ gateway, bare, ...(haproxy && { haproxy }) });
  return {
    kind: 'tls',
    handshakes: { tls13: beside(handshakes, 1000), tls12: beside(handshakes, 1000) },
    idleKb: beside(kb, 25),
    afterLineKb: beside(kb, 25),
    batch: { ...pair(100, 200), cpuRatio: 1.2 },
    single: { ...pair(100, 200), cpuRatio: 1.8 },
    windowUs: [0, 1e6],
  };
};

const scenario = (name: string, ...runs: readonly [Figures, ...Figures[]]): ScenarioResult => ({
  name,
  about: `about ${name}`,
  kind: runs[0].kind,
  runs,
  failures: [],
});

describe('figures', () => {
  it('a percentile is the measured value of the nearest rank', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    assert.deepEqual(percentilesOf(values), { p50: 100, p95: 190, p99: 198, max: 200 });
    assert.deepEqual(percentilesOf([7]), { p50: 7, p95: 7, p99: 7, max: 7 });
  });

  it('the median of an even count is the mean of the two middle values', () => {
    assert.equal(median([10, 1, 3]), 3);
    assert.equal(median([10, 1, 3, 5]), 4);
    assert.ok(Number.isNaN(median([])));
  });
});

describe('lines', () => {
  it('have about 170 bytes, differ, and are the same in each pool', () => {
    const lines = linePool({ seq: false, stamped: false });
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0) / POOL_LINES;
    assert.ok(bytes > 160 && bytes < 180, String(bytes));
    assert.ok(new Set(lines).size > 0.99 * POOL_LINES);
    assert.deepEqual(lines, linePool({ seq: false, stamped: false }));
  });

  it('have the digits of seq at the place where the load overwrites them', () => {
    for (const [n, line] of linePool({ seq: true, stamped: false }).entries()) {
      assert.equal(line.slice(SEQ_OFFSET, SEQ_OFFSET + SEQ_DIGITS), String(FIRST_SEQ + n));
    }
  });
});

const kinds = new Map(SCENARIOS.map(({ name, kind }) => [name, kind]));
const limit = (side: Limit['side'], text: string) => parseLimit(text, side, kinds);

describe('limits', () => {
  it('apply to medians, from above and from below', () => {
    const results = [
      scenario('batch', measurement(4), measurement(5), measurement(9)),
      scenario('latency', measurement(90, 30)),
      scenario('spool', spool(0.6, 70), spool(0.7, 50), spool(0.9, 40)),
      scenario('drain', drain(3)),
      scenario('kafkajs', pair(800, 200)),
    ];
    const kept = [
      limit('max', 'batch.multiple=5'),
      limit('max', 'latency.p99Ms=30'),
      limit('min', 'spool.ratio=0.7'),
      limit('max', 'spool.p99Ms=50'),
      limit('min', 'drain.times=3'),
      limit('min', 'kafkajs.ratio=4'),
    ];
    assert.deepEqual(missed(results, kept), []);
    const broken = [
      limit('max', 'batch.multiple=4.999'),
      limit('max', 'latency.p99Ms=29'),
      limit('min', 'spool.ratio=0.71'),
      limit('min', 'drain.times=3.1'),
      limit('min', 'kafkajs.ratio=4.01'),
      limit('max', 'single.multiple=1'),
    ];
    assert.deepEqual(missed(results, broken), [
      'batch: multiple is 5, must be at most 4.999',
      'latency: p99Ms is 30, must be at most 29',
      'spool: ratio is 0.7, must be at least 0.71',
      'drain: times is 3, must be at least 3.1',
      'kafkajs: ratio is 4, must be at least 4.01',
      'single: multiple was not measured',
    ]);
  });

  it('of TLS compare with the bare server and with plain devices', () => {
    const targets = TARGETS.filter((target) => target.scenario === 'tls');
    const good = { ...tls(900, 29), single: { ...pair(1, 1), cpuRatio: 1.5 } };
    assert.deepEqual(missed([scenario('tls', good)], targets), []);
    assert.deepEqual(missed([scenario('tls', tls(890, 29.1))], targets), [
      'tls: handshakeRatio is 0.89, must be at least 0.9',
      'tls: handshakeRatio12 is 0.89, must be at least 0.9',
      'tls: idleOverKb is 4.1, must be at most 4',
      'tls: overKb is 4.1, must be at most 4',
      'tls: singleCpuRatio is 1.8, must be at most 1.5',
    ]);
  });

  it('must name a known scenario, a known figure and a number', () => {
    for (const text of ['batch.multiple', 'batch.multiple=', 'batch.multiple=x', 'multiple=5'])
      assert.throws(() => limit('max', text), /<scenario>\.<figure>=<number>/, text);
    assert.throws(() => limit('max', 'bath.multiple=5'), /no scenario bath/);
    assert.throws(() => limit('max', 'batch.ratio=5'), /no figure ratio; there are perSecond, /);
  });

  it('of the project name measured figures only', () => {
    for (const { scenario, figure, side, value } of TARGETS)
      assert.deepEqual(limit(side, `${scenario}.${figure}=${value}`), { scenario, figure, side, value });
  });
});

describe('tables', () => {
  it('exist for each kind of figures', () => {
    const text = resultTable([
      scenario('spool', spool(0.7, 50)),
      scenario('drain', drain(3)),
      scenario('batch', measurement(4), measurement(9), measurement(5)),
    ]);
    assert.match(text, /batch +1,000 \(1,000-1,000\) +5\.00 \(4\.00-9\.00\)/);
    assert.match(text, /^batch .*\n(.*\n)+scenario +up\/s.*\n-.*\nspool /m);
    assert.match(text, /\nscenario +backlog.*\n-.*\ndrain +500 /);
    assert.match(resultTable([scenario('tls', tls(900, 29, 1500))]), /\ntls +900 +1,000 +1,500 +0\.90 /);
    assert.match(resultTable([scenario('tls', tls(900, 29))]), /\ntls +900 +1,000 +0\.90 /);
  });
});

const file = (results: readonly ScenarioResult[], other: Partial<BenchFile> = {}): BenchFile => ({
  at: '2026-01-02T03:04:05.678Z',
  version: '1.2.3',
  kafka: 'Kafka 4.1.0',
  machine: { cpu: 'A CPU', cores: 2, memoryGiB: 8, platform: 'linux', node: 'v20.0.0' },
  settings: { seconds: 5, runs: 3, connections: 100, seq: false, env: {} },
  results,
  ...other,
});

describe('a comparison', () => {
  const before = file([scenario('batch', measurement(2), measurement(2.1), measurement(2.2))]);

  it('finds the figures that are worse beyond the spread of both files, and no others', () => {
    const better = file([scenario('batch', measurement(1), measurement(1), measurement(1))]);
    assert.deepEqual(compare(before, better).regressions, []);
    const alike = file([scenario('batch', measurement(2.2), measurement(2.3), measurement(2.4))]);
    assert.deepEqual(compare(before, alike).regressions, []);
    const wide = file([scenario('batch', measurement(2), measurement(3), measurement(4))]);
    assert.deepEqual(compare(before, wide).regressions, []);
    const worse = file([scenario('batch', measurement(2.4), measurement(2.5), measurement(2.5))]);
    const { regressions, compared, ratiosOnly } = compare(before, worse);
    assert.deepEqual(regressions, [
      'batch.serverCpuUs: 2.50, it was 2.10; 19 % worse, noise is 10 %',
      'batch.multiple: 2.50, it was 2.10; 19 % worse, noise is 10 %',
      'batch.busyMultiple: 2.50, it was 2.10; 19 % worse, noise is 10 %',
    ]);
    assert.equal(compared, 5);
    assert.equal(ratiosOnly, false);
  });

  it('knows which way is better', () => {
    const pairs = file([scenario('kafkajs', pair(1000, 200), pair(1000, 200))]);
    const slower = file([scenario('kafkajs', pair(700, 200), pair(700, 200))]);
    assert.match(
      compare(pairs, slower).regressions.join(),
      /kafkajs\.ratio: 3\.50, it was 5\.00; 30 % worse/,
    );
    assert.deepEqual(compare(slower, pairs).regressions, []);
  });

  it('treats a single run as noisy', () => {
    const once = file([scenario('batch', measurement(2))]);
    assert.deepEqual(compare(once, file([scenario('batch', measurement(2.5))])).regressions, []);
    assert.equal(compare(once, file([scenario('batch', measurement(2.7))])).regressions.length, 3);
  });

  it('with another machine compares ratios only', () => {
    const machine = { ...before.machine, cpu: 'Another' };
    const worse = file([scenario('batch', measurement(4), measurement(4))], { machine });
    const { regressions, ratiosOnly } = compare(before, worse);
    assert.equal(ratiosOnly, true);
    assert.deepEqual(
      regressions.map((text) => text.split(':')[0]),
      ['batch.multiple', 'batch.busyMultiple'],
    );
  });

  it('treats a failed run as a regression, and refuses other settings', () => {
    const [batch] = before.results;
    assert.ok(batch);
    const failed = file([{ ...batch, failures: ['of 10 messages 9 were accepted'] }]);
    assert.deepEqual(compare(before, failed).regressions, ['batch: of 10 messages 9 were accepted']);
    const settings = { ...before.settings, connections: 10 };
    assert.throws(() => compare(before, file([batch], { settings })), BenchFileError);
  });
});

describe('a file of figures', () => {
  it('is read back unchanged', () => {
    const written = file([scenario('batch', measurement(2)), scenario('drain', drain(3))]);
    assert.deepEqual(parseBenchFile(JSON.stringify(written), 'a.json'), written);
  });

  it('is refused if the bench did not write it', () => {
    assert.throws(() => parseBenchFile('', 'a.json'), /a\.json is not JSON$/);
    assert.throws(() => parseBenchFile('{"results":[]}', 'a.json'), /not written by this bench/);
  });
});

it('a file that is older than the rename of a scenario has the present name', () => {
  const old = file([scenario('old-way', pair(1000, 10))]);
  const [read] = parseBenchFile(JSON.stringify(old), 'a.json').results;
  assert.equal(read?.name, 'one-at-a-time');
});

describe('a report of some scenarios', () => {
  const before = file([scenario('batch', measurement(2)), scenario('single', measurement(4))]);

  it('replaces these, and no others', () => {
    const merged = mergeFiles(before, file([scenario('single', measurement(3))]));
    assert.deepEqual(merged, file([scenario('batch', measurement(2)), scenario('single', measurement(3))]));
  });

  it('keeps the date of the others', () => {
    const at = '2026-02-01T00:00:00.000Z';
    const now = file([scenario('single', measurement(3))], { at });
    const merged = mergeFiles(before, now);
    const kept = { ...scenario('batch', measurement(2)), at: before.at };
    assert.deepEqual(merged, file([kept, scenario('single', measurement(3))], { at }));
    assert.deepEqual(mergeFiles(merged, { ...now, at: '2026-03-01T00:00:00.000Z' }).results[0], kept);
    assert.deepEqual(parseBenchFile(JSON.stringify(merged), 'a.json'), merged);
  });

  it('adds those that are new', () => {
    const merged = mergeFiles(before, file([scenario('tls', tls(900, 29))]));
    assert.deepEqual(merged.results, [...before.results, scenario('tls', tls(900, 29))]);
  });

  it('adds those of another Node to those of the same Node', () => {
    const with24 = (...results: ScenarioResult[]) => [{ node: 'v24.0.0', results }];
    const first = mergeFiles(
      before,
      file([scenario('single', measurement(3))], { otherNodes: with24(scenario('single', measurement(2))) }),
    );
    assert.deepEqual(first.otherNodes, with24(scenario('single', measurement(2))));
    const otherNodes = with24(scenario('batch', measurement(1)), scenario('single', measurement(1.5)));
    assert.deepEqual(
      mergeFiles(first, file([], { otherNodes })).otherNodes,
      with24(scenario('single', measurement(1.5)), scenario('batch', measurement(1))),
    );
    assert.deepEqual(parseBenchFile(JSON.stringify(first), 'a.json'), first);
  });

  it('is refused if settings or machine differ', () => {
    const others: Partial<BenchFile>[] = [
      { settings: { ...before.settings, seconds: 1 } },
      { machine: { ...before.machine, node: 'v24.0.0' } },
    ];
    for (const other of others) assert.throws(() => mergeFiles(before, file([], other)), BenchFileError);
  });
});

describe('the page of benchmarks with two Nodes', () => {
  const otherNodes = [{ node: 'v24.1.0', results: [scenario('batch', measurement(2.75))] }];
  const page = benchSection(
    file([scenario('batch', measurement(2)), scenario('single', measurement(4))], { otherNodes }),
  );

  it('has a column with the targets that the other Node misses, and its tables', () => {
    assert.match(page, /^\| what \| target \| measured \| reached \| Node v24\.1\.0 \| command \|$/m);
    assert.match(page, /50 lines a write \| at most 2\.5 \| 2\.00 \| yes \| 2\.75 \*\*no\*\* \|/);
    assert.match(page, /^## With Node v24\.1\.0$/m);
  });

  it('leaves the cell empty if the other Node did not play', () => {
    assert.match(page, /one line a write, at full speed \| at most 3\.5 \| 4\.00 \| \*\*no\*\* \| {2}\|/);
  });
});

describe('the page of benchmarks', () => {
  const page = benchSection(
    file([
      scenario('batch', measurement(2), measurement(2.25), measurement(2.5)),
      scenario('single', measurement(4)),
      { ...scenario('drain', drain(3)), failures: ['lost\nmore'] },
    ]),
  );

  it('says which targets the figures reach', () => {
    assert.match(
      page,
      /lines? a write \| at most 2\.5 \| 2\.25 \(2\.00-2\.50\) \| yes \| `npm run bench -- --scenario batch` \|/,
    );
    assert.match(page, /\| at most 3\.5 \| 4\.00 \| \*\*no\*\* \|/);
    assert.match(page, /kafkajs.* \| at least 4 \| not measured \| {2}\|/);
  });

  it('names machine, versions, settings and failed runs', () => {
    assert.match(
      page,
      /2026-01-02 with Sluice 1\.2\.3 on A CPU, 2 cores, 8 GiB, linux, Node v20\.0\.0, with Kafka 4\.1\.0/,
    );
    assert.match(page, /median of 3 runs/);
    assert.match(page, /^1 of the 2 runs of drain failed: lost$/m);
  });

  it('gives the README its table', () => {
    const table = readmeTable(file([scenario('batch', measurement(2), measurement(2.25))]));
    assert.match(
      table,
      /^\| CPU a message, 50 lines a write, .* \| 2\.13 \(2\.00-2\.25\) \| [\d,]+ \| [\d.]+ \|$/m,
    );
  });
});

describe('CPU profiles', () => {
  it('count the samples within the window by function, without idle time', () => {
    const frame = (functionName: string) => ({ functionName, url: 'file:///x/dist/src/a.js', lineNumber: 4 });
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('(idle)') },
        { id: 2, callFrame: frame('scan') },
        { id: 3, callFrame: frame('scan') },
        { id: 4, callFrame: frame('') },
      ],
      startTime: 1000,
      samples: [2, 2, 1, 3, 4, 2],
      timeDeltas: [0, 10, 20, 30, 40, 50],
    };
    // Samples at 1000, 1010, 1030, 1060, 1100, 1150; the first is before the window.
    assert.deepEqual(selfTimes(profile, [1005, 1200]), [
      { name: 'scan', where: 'src/a.js:5', us: 60 },
      { name: '(anonymous)', where: 'src/a.js:5', us: 50 },
    ]);
  });
});

it('50,000 devices are not measured where a process may not open enough files', () => {
  assert.match(
    lacksForStormMany({ devices: 10_000 }, 1024) ?? '',
    /open files a process, and 1024 are allowed/,
  );
  assert.equal(lacksForStormMany({ devices: 10_000 }, 20_000), undefined);
  assert.equal(lacksForStormMany({ devices: 10_000 }, undefined), undefined);
});

it('the page names the scenarios that were measured on an earlier day', () => {
  const old = { ...scenario('single', measurement(3)), at: '2025-12-31T00:00:00.000Z' };
  const page = benchSection(file([scenario('batch', measurement(2)), old]));
  assert.match(page, /^Measured 2026-01-02 \(`single` on 2025-12-31\) with Sluice 1\.2\.3 on /);
});
