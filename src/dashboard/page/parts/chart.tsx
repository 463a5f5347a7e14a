// One chart of the last 15 minutes. uPlot owns the canvas; this gives it the columns, the colours of the page and its width.
import { useEffect, useRef } from 'preact/hooks';
import type UPlot from 'uplot';
import { windowOf } from '../figures/history.ts';

// A classic script, see static-files.ts.
declare const uPlot: typeof UPlot;

export interface Line {
  readonly label: string;
  /** The most important line is drawn in the accent. */
  readonly isMain: boolean;
}

/**
 * - `binary`: steps of powers of two, for bytes.
 * - `logarithmic`: from MIN_LOGARITHMIC on, so that a single high value does not flatten the others.
 */
export type AxisKind = 'linear' | 'binary' | 'logarithmic';

interface ChartProps {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly at: readonly number[];
  /** One for each line. */
  readonly columns: readonly (readonly (number | null)[])[];
  readonly format: (value: number) => string;
  /** The axis ends there or higher, so that noise looks like noise. */
  readonly minTop: number;
  readonly axis: AxisKind;
  readonly summary: string;
}

const HEIGHT = 132;
/** A millisecond. Lower values are drawn there. */
const MIN_LOGARITHMIC = 0.001;
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const TIME_STEPS = [60, 120, 300];

export function Chart({ title, lines, at, columns, format, minTop, axis, summary }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(element, { lines, format, minTop, axis }),
        [[], ...lines.map(() => [])],
        element,
      );
    };
    make();
    dark.addEventListener('change', make);
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    resize.observe(element);
    return () => {
      dark.removeEventListener('change', make);
      resize.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => {
    const drawn = axis === 'logarithmic' ? columns.map(aboveZero) : columns;
    plot.current?.setData([at, ...drawn] as unknown as UPlot.AlignedData);
  });
  return <div ref={holder} class="chart" role="img" aria-label={`${title}, last 15 minutes: ${summary}`} />;
}

function optionsOf(
  element: HTMLElement,
  { lines, format, minTop, axis: kind }: Pick<ChartProps, 'lines' | 'format' | 'minTop' | 'axis'>,
): UPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    font: `11px ${style.fontFamily}`,
    ticks: { show: false },
    grid: { stroke: colour('--line'), width: 1 },
  };
  return {
    width: element.clientWidth || 300,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: {
        time: true,
        range: (_plot, first, last) => windowOf(first || Date.now() / 1000, last || Date.now() / 1000),
      },
      y: yScaleOf(kind, minTop),
    },
    axes: [
      { ...axis, size: 22, space: 60, incrs: TIME_STEPS, values: (_plot, times) => times.map(minute) },
      {
        ...axis,
        size: 58,
        space: 36,
        ...(kind === 'binary' && { incrs: BINARY_STEPS }),
        ...(kind === 'logarithmic' && {
          splits: tensBetween,
          filter: (_plot: UPlot, splits: number[]) => splits,
        }),
        values: (_plot, values) => values.map((value) => (value === 0 ? '0' : format(value))),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, isMain }) => ({
        label,
        stroke: colour(isMain ? '--accent' : '--second'),
        width: isMain ? 1.75 : 1.25,
        ...(isMain ? { fill: colour('--accent-soft') } : { dash: [4, 3] }),
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}

function yScaleOf(kind: AxisKind, minTop: number): UPlot.Scale {
  if (kind !== 'logarithmic') {
    return { range: (_plot, _least, most) => [0, Math.max(minTop, (most ?? 0) * 1.1)] };
  }
  const top = (most: number | null) => 10 ** Math.ceil(Math.log10(Math.max(minTop, most ?? 0)));
  return { distr: 3, range: (_plot, _least, most) => [MIN_LOGARITHMIC, top(most)] };
}

function tensBetween(_plot: UPlot, _axis: number, least: number, most: number): number[] {
  const splits: number[] = [];
  for (let split = least; split <= most * 1.001; split *= 10) splits.push(split);
  return splits;
}

function minute(seconds: number): string {
  const at = new Date(seconds * 1000);
  return `${at.getHours()}:${String(at.getMinutes()).padStart(2, '0')}`;
}

const aboveZero = (column: readonly (number | null)[]) =>
  column.map((value) => (value === null ? null : Math.max(value, MIN_LOGARITHMIC)));
