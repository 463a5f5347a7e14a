// Draws the chart of simulated storms as SVG text: for each way of losing connections, how many devices are back and how many
// attempts come in a second, a line for each rule. Equal results give equal text.
import { SCENARIO_NAMES, type Scenario } from './plays.ts';
import type { Played, StormFile } from './results.ts';

const PANEL = { width: 430, height: 210, left: 58, right: 14, top: 26, bottom: 34 };
const LEGEND_LINE = 16;
const HEADER = 44;
const MARGIN = 12;
const TICKS = 4;
/** The time axis ends when 99 % are back by the slowest rule that is drawn, at most here. */
const MAX_SECONDS = 240;
const ROUND_SECONDS = 20;
const COLOURS = 9;

const STYLE = `
text{font:11px system-ui,sans-serif;fill:#333}
.title{font-size:15px;font-weight:600}.name{font-size:12px;font-weight:600}
.page{fill:#fff}.grid{stroke:#ddd}.axis{stroke:#888}polyline{fill:none;stroke-width:1.6}rect.key{stroke:none}
.c0{stroke:#1f5fa8;fill:#1f5fa8}.c1{stroke:#c2570c;fill:#c2570c}.c2{stroke:#2b8a3e;fill:#2b8a3e}
.c3{stroke:#a02c6d;fill:#a02c6d}.c4{stroke:#7a6a00;fill:#7a6a00}.c5{stroke:#0b8f8f;fill:#0b8f8f}.c6{stroke:#777;fill:#777}.c7{stroke:#000;fill:#000}
.c8{stroke:#d11;fill:#d11}polyline.c8{stroke-dasharray:5 3}
@media(prefers-color-scheme:dark){text{fill:#ddd}.page{fill:#16181c}.grid{stroke:#33373d}
.c0{stroke:#7fb3f0;fill:#7fb3f0}.c1{stroke:#ff9d4d;fill:#ff9d4d}.c2{stroke:#6fd08a;fill:#6fd08a}
.c3{stroke:#f08cc4;fill:#f08cc4}.c4{stroke:#e6d35a;fill:#e6d35a}.c5{stroke:#5ad1d1;fill:#5ad1d1}.c6{stroke:#999;fill:#999}.c7{stroke:#eee;fill:#eee}.c8{stroke:#ff6b6b;fill:#ff6b6b}}`.trim();

const TITLES: Readonly<Record<Scenario, string>> = {
  outage: 'After an outage of 10 minutes',
  restart: 'All gateways gone for 5 s',
  balancer: 'A balancer goes, with half of the fleet',
  drain: 'One gateway drains or dies',
};

interface Area {
  readonly x: number;
  readonly y: number;
}

export function stormChart({ fleet, plays }: StormFile): string {
  const rows = SCENARIO_NAMES.map((scenario) => plays.filter((play) => play.scenario === scenario));
  const heights = rows.map((row) => PANEL.height + Math.ceil(row.length / 4) * LEGEND_LINE);
  const width = 2 * PANEL.width + 2 * MARGIN;
  const height = HEADER + heights.reduce((sum, one) => sum + one, 0) + MARGIN;
  let y = HEADER;
  const panels = rows.flatMap((row, index) => {
    const scenario = SCENARIO_NAMES[index] as Scenario;
    const top = y;
    y += heights[index] as number;
    return rowOf(scenario, row, { x: MARGIN, y: top });
  });
  const title = `${fleet.devices.toLocaleString('en')} devices come back, ${fleet.gateways} gateways (simulation)`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${title}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    text({ x: MARGIN + 6, y: 24 }, title, 'title'),
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function rowOf(scenario: Scenario, plays: readonly Played[], { x, y }: Area): string[] {
  const longest = Math.max(...plays.map(({ p99Seconds }) => p99Seconds ?? MAX_SECONDS));
  const seconds = Math.min(MAX_SECONDS, Math.ceil(longest / ROUND_SECONDS) * ROUND_SECONDS);
  const shares = plays.map(({ backPerSecond, devices }) =>
    cumulated(backPerSecond, seconds).map((back) => (back / devices) * 100),
  );
  const attempts = plays.map(({ attemptsPerSecond }) => filled(attemptsPerSecond, seconds));
  const keyY = y + PANEL.height;
  return [
    ...panelOf({ title: `${TITLES[scenario]}: back, %`, lines: shares, seconds, axis: PERCENT }, { x, y }),
    ...panelOf(
      {
        title: 'attempts a second',
        lines: attempts,
        seconds,
        axis: powersOfTen(Math.max(...attempts.flat(), 1)),
      },
      { x: x + PANEL.width, y },
    ),
    ...plays.flatMap(({ name }, index) => {
      const at = { x: x + PANEL.left + (index % 4) * 195, y: keyY + Math.floor(index / 4) * LEGEND_LINE };
      return [
        `<rect class="key ${colour(index)}" x="${at.x}" y="${at.y - 3}" width="14" height="3"/>`,
        text({ x: at.x + 19, y: at.y + 2 }, name),
      ];
    }),
  ];
}

interface Panel {
  readonly title: string;
  /** A value for each second. */
  readonly lines: readonly (readonly number[])[];
  readonly seconds: number;
  readonly axis: Axis;
}

interface Axis {
  /** The place of a value on the axis, 0 to 1. */
  readonly share: (value: number) => number;
  readonly ticks: readonly { readonly share: number; readonly text: string }[];
}

const PERCENT: Axis = {
  share: (value) => value / 100,
  ticks: [0, 25, 50, 75, 100].map((value) => ({ share: value / 100, text: String(value) })),
};

/** From 1 to a power of ten. Less than 1 lies on the axis. */
function powersOfTen(highest: number): Axis {
  const decades = Math.max(1, Math.ceil(Math.log10(highest)));
  return {
    share: (value) => Math.max(0, Math.log10(Math.max(1, value)) / decades),
    ticks: Array.from({ length: decades + 1 }, (_, power) => ({
      share: power / decades,
      text: short(10 ** power),
    })),
  };
}

function panelOf({ title, lines, seconds, axis }: Panel, { x, y }: Area): string[] {
  const { width, height, left, right, top: above, bottom } = PANEL;
  const [fromX, toX] = [x + left, x + width - right];
  const [fromY, toY] = [y + height - bottom, y + above];
  const atX = (second: number): number => fromX + (second / seconds) * (toX - fromX);
  const atY = (share: number): number => fromY + share * (toY - fromY);
  const ticks = Array.from({ length: TICKS + 1 }, (_, tick) => tick / TICKS);
  return [
    text({ x: fromX, y: y + 16 }, title, 'name'),
    ...axis.ticks.flatMap((tick) => [
      `<line class="grid" x1="${fromX}" x2="${toX}" y1="${round(atY(tick.share))}" y2="${round(atY(tick.share))}"/>`,
      text({ x: fromX - 6, y: atY(tick.share) + 4 }, tick.text, undefined, 'end'),
    ]),
    ...ticks.map((share) =>
      text(
        { x: atX(share * seconds), y: fromY + 16 },
        `${Math.round(share * seconds)} s`,
        undefined,
        'middle',
      ),
    ),
    `<line class="axis" x1="${fromX}" x2="${toX}" y1="${fromY}" y2="${fromY}"/>`,
    ...lines.map((values, index) => {
      const points = values.map(
        (value, second) => `${round(atX(second + 1))},${round(atY(axis.share(value)))}`,
      );
      return `<polyline class="${colour(index)}" points="${points.join(' ')}" fill-opacity="0"/>`;
    }),
  ];
}

const colour = (index: number): string => `c${index % COLOURS}`;

function cumulated(values: readonly number[], seconds: number): number[] {
  let sum = 0;
  return filled(values, seconds).map((value) => {
    sum += value;
    return sum;
  });
}

const filled = (values: readonly number[], seconds: number): number[] =>
  Array.from({ length: seconds }, (_, second) => values[second] ?? 0);

const round = (value: number): number => Math.round(value * 10) / 10;

/** 10,000 is 10k. */
const short = (value: number): string =>
  value >= 1_000_000 ? `${value / 1_000_000}M` : value >= 1000 ? `${value / 1000}k` : String(value);

function text({ x, y }: Area, content: string, css?: string, anchor?: 'end' | 'middle'): string {
  const attributes = [css && ` class="${css}"`, anchor && ` text-anchor="${anchor}"`]
    .filter(Boolean)
    .join('');
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
}
