// One snapshot a second for all who follow, and the 15 minutes that are kept of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLUMNS } from '../../src/admin/live/columns.ts';
import { History, MAX_SAMPLES } from '../../src/admin/live/history.ts';
import { Live } from '../../src/admin/live/live.ts';
import { Ticker } from '../../src/admin/live/ticker.ts';
import type { Figures, Snapshot } from '../../src/admin/snapshot.ts';
import { Histogram } from '../../src/measure/histogram.ts';
import type { Beat } from '../../src/time/beat.ts';
import { waitFor } from '../support/wait.ts';
import { sampleFigures, sampleSnapshot } from './sample-snapshot.ts';

const at = (seconds: number, changes: Partial<Figures> = {}): Figures =>
  sampleFigures({
    at: new Date(1_700_000_000_000 + seconds * 1000).toISOString(),
    uptimeSeconds: seconds,
    ...changes,
  });

test('the history keeps 900 samples, oldest first, and all columns have one length', () => {
  const history = new History();
  for (let n = 0; n < MAX_SAMPLES + 100; n++) history.add({ figures: at(n), ready: n % 2 === 0 });
  const { columns } = history;
  assert.deepEqual(Object.keys(columns), COLUMNS);
  for (const name of COLUMNS) assert.equal(columns[name]?.length, MAX_SAMPLES, name);
  assert.deepEqual([columns.uptimeSeconds?.at(0), columns.uptimeSeconds?.at(-1)], [100, MAX_SAMPLES + 99]);
  assert.deepEqual(columns.ready?.slice(0, 3), [1, 0, 1]);
  assert.equal(history.latest?.uptimeSeconds, MAX_SAMPLES + 99);
});

test('every column is a figure of /stats by its path, or says how it is computed', () => {
  const snapshot = JSON.parse(JSON.stringify(sampleSnapshot())) as Record<string, unknown>;
  const read = (path: string) =>
    path
      .split('.')
      .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], snapshot);
  const computed = COLUMNS.filter((name) => typeof read(name) !== 'number');
  assert.deepEqual(computed, [
    'at',
    'ready',
    'lines.refused',
    'lines.toStoredSeconds.p50',
    'lines.toStoredSeconds.p99',
    'lines.toKafkaSeconds.p50',
    'lines.toKafkaSeconds.p99',
  ]);
});

test('quantiles are those of the lines since the sample before, and unknown without lines', () => {
  const histogram = new Histogram([0.01, 0.1, 1]);
  const { lines } = sampleFigures();
  const history = new History();
  const add = (seconds: number) => {
    history.add({
      figures: at(seconds, { lines: { ...lines, toKafkaSeconds: histogram.value } }),
      ready: null,
    });
    return [history.latest?.['lines.toKafkaSeconds.p50'], history.latest?.['lines.toKafkaSeconds.p99']];
  };
  histogram.record(5, 1000);
  assert.deepEqual(add(1), [null, null]);
  histogram.record(0.005, 98);
  histogram.record(0.5, 2);
  // Within a bucket values count as spread evenly.
  assert.deepEqual(add(2), [0.005, 0.55]);
  assert.deepEqual(add(3), [null, null]);
  // Above all bounds the last one is given.
  histogram.record(60);
  assert.deepEqual(add(4), [1, 1]);
});

test('after a crash the totals of a process fall, and its quantiles are unknown once', () => {
  const before = new Histogram([1]);
  const { lines } = sampleFigures();
  const history = new History();
  const add = (histogram: Histogram) =>
    history.add({ figures: at(1, { lines: { ...lines, toKafkaSeconds: histogram.value } }), ready: null });
  before.record(0.5, 10);
  add(before);
  add(new Histogram([1]));
  assert.equal(history.latest?.['lines.toKafkaSeconds.p99'], null);
});

/** A beat that is faster. */
function everyMs(ms: number): Pick<Beat, 'follow'> {
  return {
    follow(call) {
      const timer = setInterval(call, ms);
      return () => clearInterval(timer);
    },
  };
}

test('all who follow share one snapshot, and a slow one is taken once', async (t) => {
  let taken = 0;
  let release: ((snapshot: Snapshot) => void) | undefined;
  const ticker = new Ticker(() => {
    taken++;
    return new Promise<Snapshot>((resolve) => {
      release = resolve;
    });
  }, everyMs(50));
  ticker.start();
  t.after(() => ticker.stop());
  const seen: string[] = [];
  ticker.follow(() => seen.push('first'));
  const end = ticker.follow(() => seen.push('second'));
  await waitFor('the first', () => taken === 1);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(taken, 1);
  release?.(sampleSnapshot());
  await waitFor('both have it', () => seen.length === 2);
  end();
  await waitFor('the next', () => taken === 2);
  release?.(sampleSnapshot());
  await waitFor('the first has it', () => seen.length === 3);
  assert.deepEqual(seen, ['first', 'second', 'first']);
});

test('there is no text while nobody follows, and one for all who do', () => {
  const takers: ((snapshot: Snapshot) => void)[] = [];
  const follow = (one: (snapshot: Snapshot) => void) => {
    takers.push(one);
    return () => {};
  };
  const live = new Live({ follow }, () => []);
  let made = 0;
  const toJSON = () => {
    made++;
    return {};
  };
  const take = () => takers.forEach((one) => void one({ ...sampleSnapshot(), toJSON } as Snapshot));
  take();
  assert.equal(made, 0);
  const texts: string[][] = [[], []];
  const ends = texts.map((list) => live.follow(null, (text) => list.push(text)));
  assert.equal(made, 1);
  take();
  assert.equal(made, 2);
  assert.equal(texts[0]?.[1], texts[1]?.[1]);
  for (const end of ends) end();
  take();
  assert.equal(made, 2);
  assert.deepEqual(
    texts.map((list) => list.length),
    [2, 2],
  );
});
