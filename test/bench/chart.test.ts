// The chart of a scaling run: well-formed, reproducible, and with every bar and point at the right place.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chartSvg, scaleTo } from '../../bench/scaling/chart.ts';
import { sectionText } from '../../bench/scaling/report.ts';
import type { DimensionResult, PointResult, PointRun, ScalingResult } from '../../bench/scaling/result.ts';

const run = (perSecond: number, p99Ms: number, pacedPerSecond = 4900): PointRun => ({
  perSecond,
  cpuUs: 2,
  p50Ms: 1,
  p99Ms,
  pacedPerSecond,
  messages: 1000,
});

const point = (value: PointResult['value'], ...runs: readonly PointRun[]): PointResult => ({
  value,
  base: value === 8,
  runs,
  failures: [],
});

const zstd: PointResult = { ...point('zstd'), skipped: 'needs "Node" <22.15> & later' };

const RESULT: ScalingResult = {
  kind: 'scaling',
  circumstances: { at: '2026-11-21T00:00:00.000Z', command: 'npm run scaling', machine: 'm', versions: 'v' },
  runs: 3,
  seconds: 4,
  rate: 5000,
  linesPerWrite: 10,
  dimensions: [
    {
      name: 'workers',
      title: 'Workers',
      setting: 'TCP_WORKER_COUNT',
      points: [
        point(4, run(100_000, 10), run(120_000, 30), run(110_000, 20)),
        point(8, run(200_000, 40), run(200_000, 40), run(200_000, 40)),
      ],
    },
    {
      name: 'codec',
      title: 'Compression',
      points: [point('none', run(50_000, 5, 4400)), point('gzip', run(50_000, 5)), zstd],
    },
  ],
};

const svg = chartSvg(RESULT);
const panels = svg.split('<g class="panel"').slice(1);
const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(({ groups }) => groups ?? {});
const bars = (text: string) =>
  all(
    text,
    /<rect class="bar" x="(?<x>[^"]+)" y="(?<y>[^"]+)" width="[^"]+" height="(?<height>[^"]+)"><title>/g,
  );
const points = (text: string) =>
  all(text, /<circle class="p99" cx="(?<x>[^"]+)" cy="(?<y>[^"]+)" r="3.5"><title>/g);

/** Throws if tags are not closed in order, or an attribute or a text is not valid XML. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const rest = xml.replace(
    /<(\/?)([a-z0-9]+)((?: [a-zA-Z:0-9-]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)(\/?)>/g,
    (_, closing, name, __, empty) => {
      if (closing) assert.equal(open.pop(), name);
      else if (!empty) open.push(name);
      return '';
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest.replace(/&(?:amp|lt|gt|quot);/g, ''), /[<&]/);
}

describe('the chart', () => {
  it('is well-formed, with special characters in its texts', () => {
    assertWellFormed(svg);
    assert.match(svg, /needs &quot;Node&quot; &lt;22\.15&gt; &amp; later/);
  });

  it('is the same for the same result, also from a file', () => {
    assert.equal(chartSvg(JSON.parse(JSON.stringify(RESULT)) as ScalingResult), svg);
  });

  it('has a panel for each dimension, and a bar and a point for each measured value', () => {
    assert.deepEqual(
      panels.map((panel) => /data-name="([a-z]+)"/.exec(panel)?.[1]),
      ['workers', 'codec'],
    );
    assert.deepEqual(
      panels.map((panel) => bars(panel).length),
      [2, 2],
    );
    assert.deepEqual(
      panels.map((panel) => points(panel).length),
      [2, 2],
    );
    for (const label of ['>TCP_WORKER_COUNT<', '>4<', '>8<', '>msgs/s<', '>p99 ms<'])
      assert.ok(panels[0]?.includes(label));
    for (const label of ['>compression<', '>none<', '>zstd<']) assert.ok(panels[1]?.includes(label));
  });

  it('draws medians: bars on one scale for all panels, points on one for each panel', () => {
    const heights = panels.flatMap(bars).map(({ height }) => Number(height));
    const [first = 0, second = 0, third = 0] = heights;
    // 110,000, 200,000 and 50,000, to a tenth of a pixel.
    assert.ok(Math.abs(first / second - 0.55) < 0.002, `${heights}`);
    assert.ok(Math.abs(third / second - 0.25) < 0.002, `${heights}`);
    const bottom = Number(bars(panels[0] ?? '')[0]?.y) + first;
    // The axis goes from 0 to 200,000.
    const grid = all(panels[0] ?? '', /<line class="grid" x1="[^"]+" y1="(?<y>[^"]+)"/g).map(({ y }) =>
      Number(y),
    );
    assert.deepEqual([Math.max(...grid), Math.min(...grid)], [bottom, bottom - second]);
    const [low, high] = points(panels[0] ?? '').map(({ y }) => bottom - Number(y));
    assert.ok(Math.abs((low ?? 0) / (high ?? 1) - 0.5) < 0.002, `${low} ${high}`);
    assert.match(panels[0] ?? '', /4: 110,000 \(100,000-120,000\) messages\/s/);
  });

  it('has whiskers from the lowest to the highest run, if they differ', () => {
    const whiskers = all(svg, /<path class="range" d="M\S+ (?<low>[\d.]+)V(?<high>[\d.]+)/g);
    assert.equal(whiskers.length, 1);
    const height = Number(bars(panels[0] ?? '')[1]?.height);
    const length = Number(whiskers[0]?.low) - Number(whiskers[0]?.high);
    assert.ok(Math.abs(length / height - 0.1) < 0.002);
  });

  it('joins points of numbers, but not of names', () => {
    assert.deepEqual(
      panels.map((panel) => panel.split('<polyline').length - 1),
      [1, 0],
    );
  });
});

it('a scale goes from 0 in at most five round steps to the highest value or above', () => {
  assert.deepEqual(scaleTo(97), { top: 100, ticks: [0, 20, 40, 60, 80, 100] });
  assert.deepEqual(scaleTo(0.55), { top: 0.6, ticks: [0, 0.2, 0.4, 0.6] });
  for (const highest of [0, 1, 3, 12, 99.9, 100, 100.1, 434_037]) {
    const { top, ticks } = scaleTo(highest);
    assert.ok(
      top >= highest && top < (highest || 1) * 2 && ticks.length <= 6 && ticks.length >= 3,
      `${highest}`,
    );
  }
});

it('the section lists unmeasured and overloaded points, and links the chart', () => {
  const text = sectionText(RESULT, 'scaling.svg');
  assert.match(text, /\]\(scaling\.svg\)/);
  assert.match(text, /\| zstd \| - \| - \| - \| - \| not measured: needs "Node" <22\.15> & later \|/);
  assert.match(text, /\| none \| 50,000 \| 2\.00 \| 1\.0 \| 5\.0 \| does not take 5,000\/s \|/);
  assert.match(text, /\| 8 \| 200,000 \(200,000-200,000\) .* \| base \|/);
  const failed: DimensionResult = {
    ...(RESULT.dimensions[0] as DimensionResult),
    points: [{ ...point(1), failures: ['lost'] }],
  };
  assert.match(sectionText({ ...RESULT, dimensions: [failed] }, 'x'), /\| failed runs: 1 \|/);
});
