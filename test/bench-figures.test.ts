// The bench's own arithmetic: what it would get wrong silently.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { selfTimes } from '../scripts/bench/cpu-profile.ts';
import type { DrainFigures } from '../scripts/bench/drain.ts';
import { latencySummary, median } from '../scripts/bench/figures.ts';
import { FIRST_SEQ, linePool, POOL_LINES, SEQ_DIGITS, SEQ_OFFSET } from '../scripts/bench/lines.ts';
import type { Measurement } from '../scripts/bench/measure.ts';
import { type Figures, missed, resultTable, type ScenarioResult } from '../scripts/bench/report.ts';
import type { SpoolFigures } from '../scripts/bench/spool.ts';

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

const scenario = (name: string, ...runs: readonly Figures[]): ScenarioResult => ({
  name,
  about: '',
  judgedByMultiple: false,
  runs,
  failures: [],
});

describe('figures', () => {
  it('a percentile is a measured value, the nearest rank', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    assert.deepEqual(latencySummary(values), { p50: 100, p95: 190, p99: 198, max: 200 });
    assert.deepEqual(latencySummary([7]), { p50: 7, p95: 7, p99: 7, max: 7 });
  });

  it('the median of an even count is between the two in the middle', () => {
    assert.equal(median([10, 1, 3]), 3);
    assert.equal(median([10, 1, 3, 5]), 4);
    assert.ok(Number.isNaN(median([])));
  });
});

describe('lines', () => {
  it('are about 170 bytes, differ, and are the same each time', () => {
    const lines = linePool({ seq: false, stamped: false });
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0) / POOL_LINES;
    assert.ok(bytes > 160 && bytes < 180, String(bytes));
    assert.ok(new Set(lines).size > 0.99 * POOL_LINES);
    assert.deepEqual(lines, linePool({ seq: false, stamped: false }));
  });

  it('hold the digits of seq where the load writes others over them', () => {
    for (const [n, line] of linePool({ seq: true, stamped: false }).entries()) {
      assert.equal(line.slice(SEQ_OFFSET, SEQ_OFFSET + SEQ_DIGITS), String(FIRST_SEQ + n));
    }
  });
});

describe('limits', () => {
  it('are for medians, and the multiple for loads as fast as taken alone', () => {
    const rest = { about: '', failures: [] };
    const results = [
      {
        name: 'batch',
        judgedByMultiple: true,
        runs: [measurement(4), measurement(5), measurement(9)],
        ...rest,
      },
      { name: 'latency', judgedByMultiple: false, runs: [measurement(90, 30)], ...rest },
    ];
    assert.deepEqual(missed(results, { maxMultiple: 5, maxP99: 30 }), []);
    const [multiple, p99, ...none] = missed(results, { maxMultiple: 4.9, maxP99: 29 });
    assert.match(multiple ?? '', /^batch: 5\.00 times/);
    assert.match(p99 ?? '', /^latency: p99 is 30\.0 ms/);
    assert.deepEqual(none, []);
    assert.match(resultTable(results), /batch +1,000 \(1,000-1,000\) +5\.00 \(4\.00-9\.00\)/);
  });

  it('hold the spool from below and from above, and its figures have a table of their own', () => {
    const results = [
      scenario('spool', spool(0.6, 70), spool(0.7, 50), spool(0.9, 40)),
      scenario('drain', drain(3)),
    ];
    assert.deepEqual(missed(results, { minSpoolRatio: 0.7, maxStoredP99: 50, minDrain: 3 }), []);
    const limits = { minSpoolRatio: 0.71, maxStoredP99: 49, minDrain: 3.1, maxP99: 1, maxMultiple: 1 };
    assert.deepEqual(missed(results, limits), [
      'spool: without Kafka 0.70 of the throughput, to reach is 0.71',
      'spool: p99 of `stored` is 50.0 ms, allowed are 49',
      'drain: drains at 3.0 times what arrives, to reach is 3.1',
    ]);
    const text = resultTable([...results, scenario('batch', measurement(4))]);
    assert.match(text, /^batch .*\n(.*\n)+scenario +up\/s.*\n-.*\nspool /m);
    assert.match(text, /\nscenario +backlog.*\n-.*\ndrain +500 /);
  });
});

describe('CPU profiles', () => {
  it('count the samples within the window by function and leave idling out', () => {
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
