// The rule that decides whether a sustained run is flat. Each limit is tested from both sides.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FlatnessLimits, judgeFlatness, MIN_SAMPLES } from '../../bench/sustained/flatness.ts';
import { bucketRows } from '../../bench/sustained/report.ts';
import type { Sample } from '../../bench/sustained/sample.ts';

const LIMITS: FlatnessLimits = { rssPercent: 10, rssMib: 10, descriptors: 5, p99Times: 1.5, p99Ms: 5 };

const latency = (p99: number) => ({ count: 100, p50: 1, p95: 2, p99, p999: p99, max: p99 });

function sample(number: number, figures: Partial<Sample> = {}): Sample {
  return {
    seconds: number * 5,
    warmUp: false,
    residentMiB: 200,
    descriptors: 100,
    processes: 1,
    sentPerSecond: 1000,
    confirmedPerSecond: 1000,
    confirmedMs: latency(20),
    consumerMs: latency(20),
    connections: 10,
    spooled: 0,
    eventLoopLagP99Ms: 1,
    restarts: 0,
    ...figures,
  };
}

/** Nine samples. The last three have `figures`. */
const endingWith = (figures: Partial<Sample>): Sample[] =>
  Array.from({ length: 9 }, (_, index) => sample(index + 1, index < 6 ? {} : figures));

function notFlat(samples: readonly Sample[]): string[] | undefined {
  return judgeFlatness(samples, LIMITS)?.flatMap(({ what, flat }) => (flat ? [] : [what]));
}

describe('a run is flat', () => {
  it('if RSS grows by no more than allowed, or falls', () => {
    assert.deepEqual(notFlat(endingWith({ residentMiB: 230 })), []);
    assert.deepEqual(notFlat(endingWith({ residentMiB: 231 })), ['RSS MiB']);
    assert.deepEqual(notFlat(endingWith({ residentMiB: 50 })), []);
  });

  it('if descriptors differ by no more than allowed', () => {
    for (const descriptors of [95, 105]) assert.deepEqual(notFlat(endingWith({ descriptors })), []);
    for (const descriptors of [94, 106])
      assert.deepEqual(notFlat(endingWith({ descriptors })), ['descriptors']);
  });

  it('if each p99 grows by no more than allowed', () => {
    assert.deepEqual(notFlat(endingWith({ confirmedMs: latency(35), consumerMs: latency(35) })), []);
    assert.deepEqual(notFlat(endingWith({ confirmedMs: latency(36) })), ['p99 to confirmation ms']);
    assert.deepEqual(notFlat(endingWith({ consumerMs: latency(36) })), ['p99 to consumer ms']);
  });

  it('but not if messages stopped arriving', () => {
    const { confirmedMs: _, ...silent } = sample(9);
    const samples = [...endingWith({}).slice(0, 6), silent, silent, silent];
    assert.deepEqual(notFlat(samples), ['p99 to confirmation ms']);
    assert.deepEqual(notFlat(Array(9).fill(silent)), ['p99 to confirmation ms']);
  });

  it('by its first and last third, in spite of outliers and of the middle', () => {
    const samples = endingWith({});
    for (const index of [3, 4, 5, 8])
      samples[index] = sample(index, { residentMiB: 900, confirmedMs: latency(900) });
    assert.deepEqual(notFlat(samples), []);
  });

  it('in spite of any warm-up', () => {
    const warmUp = [1, 2, 3].map((number) =>
      sample(number, { warmUp: true, residentMiB: 20, descriptors: 9 }),
    );
    assert.deepEqual(notFlat([...warmUp, ...endingWith({})]), []);
  });
});

it('a run with too few samples after the warm-up is not judged', () => {
  const samples = endingWith({}).slice(0, MIN_SAMPLES);
  assert.equal(judgeFlatness(samples, LIMITS)?.length, 4);
  assert.equal(judgeFlatness([{ ...sample(0), warmUp: true }, ...samples.slice(1)], LIMITS), undefined);
});

it('the table has a row for the warm-up and ten for the rest, with each sample in one of them', () => {
  const samples = Array.from({ length: 47 }, (_, index) =>
    sample(index + 1, { warmUp: index < 5, residentMiB: index }),
  );
  const rows = bucketRows(samples);
  assert.equal(rows.length, 11);
  assert.deepEqual(rows[0]?.slice(0, 2), ['0:00-0:25', '2.0']);
  assert.deepEqual(rows.at(-1)?.slice(0, 2), ['3:35-3:55', '44.5']);
  const ends = rows.map(([when = '']) => when.split('-'));
  for (const [index, [from]] of ends.entries()) assert.equal(from, ends[index - 1]?.[1] ?? '0:00');
});
