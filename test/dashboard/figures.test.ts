// The pure functions of the page: rates, percentiles, balances, the history, numbers and times.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Session } from '../../src/admin/session.ts';
import type {
  ConnectionShape,
  ProcessesShape,
  RefusalShape,
  SessionShape,
  SnapshotShape,
} from '../../src/dashboard/page/api/shapes.ts';
import { linesLedger, recordsLedger } from '../../src/dashboard/page/figures/balance.ts';
import {
  EMPTY_HISTORY,
  historyOf,
  ratesOf,
  windowOf,
  withSample,
} from '../../src/dashboard/page/figures/history.ts';
import { differenceOf, percentileOf } from '../../src/dashboard/page/figures/percentiles.ts';
import { rateOf, spanOf } from '../../src/dashboard/page/figures/rates.ts';
import { bytes, percent, perSecond, short } from '../../src/dashboard/page/format/numbers.ts';
import { age, latency } from '../../src/dashboard/page/format/times.ts';
import type { MergedPage } from '../../src/inspect/connections/merge.ts';
import type { RefusalSample } from '../../src/inspect/line-questions.ts';
import type { ProcessAbout } from '../../src/inspect/questions.ts';
import { quantileOf } from '../../src/measure/histogram.ts';
import { sampleSnapshot } from '../admin/sample-snapshot.ts';

/** The page reads what the server sends: if the server's type changes, this does not compile. */
const snapshot: SnapshotShape = sampleSnapshot();

type Read<Shape, Sent extends Shape> = Sent;
/** The same for the other answers. */
export type Compared = [
  Read<SessionShape, Session>,
  Read<ProcessesShape['processes'][number], ProcessAbout & { readonly index: number }>,
  Read<ConnectionShape, MergedPage['rows'][number]>,
  Read<NonNullable<RefusalShape['last']>, RefusalSample>,
];

const at = (uptimeSeconds: number, received = 0): SnapshotShape => ({
  ...snapshot,
  uptimeSeconds,
  lines: { ...snapshot.lines, received },
});

describe('the window of the charts', () => {
  it('is filled by young figures, and is never above 15 minutes', () => {
    assert.deepEqual(windowOf(1000, 1000), [880, 1000]);
    assert.deepEqual(windowOf(1000, 1300), [1000, 1300]);
    assert.deepEqual(windowOf(1000, 2000), [1100, 2000]);
  });
});

describe('rates of the page', () => {
  it('are means over the window', () => {
    const recent = [at(1, 0), at(2, 100), at(3, 300), at(4, 600)];
    assert.equal(
      rateOf(spanOf(recent, 2), ({ lines }) => lines.received),
      250,
    );
    assert.equal(
      rateOf(spanOf(recent, 60), ({ lines }) => lines.received),
      200,
    );
  });

  it('are not known from one snapshot, and 0 if a total fell', () => {
    assert.equal(
      rateOf(spanOf([at(1)], 5), ({ lines }) => lines.received),
      null,
    );
    assert.equal(
      rateOf(spanOf([at(1, 500), at(2, 10)], 5), ({ lines }) => lines.received),
      0,
    );
  });
});

describe('percentiles of the page', () => {
  const histogram = (...counts: number[]) => ({ bounds: [0.01, 0.02, 0.05], counts, sum: 0 });

  it('are of the values between two moments', () => {
    const values = differenceOf(histogram(100, 50, 10, 0), histogram(100, 0, 0, 0));
    assert.deepEqual(values.counts, [0, 50, 10, 0]);
    assert.equal(percentileOf(values, 0.5)?.toFixed(4), '0.0160');
    assert.equal(percentileOf(values, 1), 0.05);
  });

  it('are unknown without values, and endless above the last bound', () => {
    assert.equal(percentileOf(histogram(0, 0, 0, 0), 0.5), null);
    assert.equal(percentileOf(histogram(0, 0, 0, 1), 0.5), Number.POSITIVE_INFINITY);
  });

  it('are those of the charts and of the terminal', () => {
    const values = histogram(7, 50, 10, 0);
    for (const share of [0, 0.01, 0.5, 0.9, 0.99, 1])
      assert.equal(percentileOf(values, share), quantileOf(values, share), `p${100 * share}`);
  });

  it('take a histogram that fell for a new one', () => {
    assert.deepEqual(differenceOf(histogram(1, 0, 0, 0), histogram(5, 0, 0, 0)).counts, [1, 0, 0, 0]);
  });
});

describe('the balances of the page', () => {
  it('add up, as those of the gateway do', () => {
    assert.equal(linesLedger(snapshot).difference, 0);
    assert.equal(recordsLedger(snapshot).difference, 0);
    assert.equal(recordsLedger(snapshot).total, 990);
  });

  it('say by how much they do not', () => {
    const { records } = snapshot;
    const wrong = { ...snapshot, records: { ...records, confirmed: records.confirmed - 3 } };
    assert.equal(recordsLedger(wrong).difference, 3);
  });
});

describe('the history of the page', () => {
  const sample = (second: number, received: number) => ({
    at: second * 1000,
    uptimeSeconds: second,
    'lines.received': received,
  });

  it('holds 15 minutes however long the page is open', () => {
    let history = EMPTY_HISTORY;
    for (let second = 0; second < 2000; second++) history = withSample(history, sample(second, second));
    assert.equal(history.at.length, 901);
    assert.equal(history['lines.received'].length, 901);
    assert.equal(history.at.at(-1), 1_999_000);
  });

  it('draws no rate over a total that fell, and none for a column that is missing', () => {
    const history = historyOf({
      at: [1000, 2000, 3000, 5000],
      uptimeSeconds: [1, 2, 3, 5],
      'lines.received': [0, 100, 20, 220],
    });
    assert.deepEqual(ratesOf(history, 'lines.received'), [null, 100, null, 100]);
    assert.deepEqual(history['spool.bytes'], [null, null, null, null]);
  });
});

describe('numbers and times of the page', () => {
  it('have units', () => {
    assert.deepEqual([bytes(0), bytes(1536), bytes(3 * 2 ** 30)], ['0 B', '1.5 KiB', '3.0 GiB']);
    assert.deepEqual([short(999), short(12_345), short(4_560_000)], ['999', '12.3 k', '4.56 M']);
    assert.deepEqual([latency(0.0012), latency(0.034), latency(1.5)], ['1.2 ms', '34 ms', '1.5 s']);
    assert.deepEqual([age(0), age(185), age(7800)], ['0 s', '3 min 5 s', '2 h 10 min']);
  });

  it('never round a part to nothing or to all', () => {
    assert.deepEqual([0, 0.0001, 0.004, 0.5, 0.996, 0.9999, 1].map(percent), [
      '0 %',
      '<0.1 %',
      '0.4 %',
      '50 %',
      '99.6 %',
      '>99.9 %',
      '100 %',
    ]);
    assert.deepEqual(
      [perSecond(null), perSecond(0), perSecond(0.34), perSecond(1234)],
      ['–', '0', '0.3', '1,234'],
    );
  });
});
