// Draws the chart of a scaling run as SVG text: a panel for each dimension, with a bar and a point for each value. Equal
// results give equal text. Without a library: those that draw without a browser are huge or no longer maintained.
//
// - bars: throughput, left axis, the same scale in all panels
// - points: p99, right axis, each panel with its own scale; joined if the values are numbers
// - whiskers: lowest and highest run
// - the chart has its own background, so it is readable on light and dark pages
import type { DimensionResult, PointResult, ScalingResult, Spread } from './result.ts';
import { spreadOf } from './result.ts';

const COLUMNS = 2;
const PANEL = { width: 400, height: 250, left: 52, right: 64, top: 44, bottom: 42 };
const HEADER = 58;
const MARGIN = 12;
const TICKS = 5;
/** Position of a value's bar and point, as shares of its slot. */
const BAR = { from: 0.14, to: 0.58 };
const POINT_AT = 0.76;
const CAP = 4;
const RADIUS = 3.5;

const STYLE = `
text{font:11px system-ui,sans-serif;fill:#333}
.title{font-size:15px;font-weight:600}.name{font-size:12px;font-weight:600}
.page{fill:#fff}.grid{stroke:#ddd}.axis{stroke:#888}
.bar{fill:#6b9bd1}.range{stroke:#24476f;stroke-width:1.4}
.p99{fill:#c2570c}.line{stroke:#c2570c;stroke-width:1.4;fill:none;opacity:.6}.range99{stroke:#c2570c;stroke-width:1.4}
.left{fill:#2f6099}.right{fill:#a84a08}.none{fill:#777}
@media(prefers-color-scheme:dark){text{fill:#ddd}.page{fill:#16181c}.grid{stroke:#33373d}.axis{stroke:#888}
.bar{fill:#4a7fb8}.range{stroke:#b9d6f5}.p99{fill:#ff9d4d}.line,.range99{stroke:#ff9d4d}
.left{fill:#8fbdf0}.right{fill:#ffb070}.none{fill:#999}}`.trim();

interface Scale {
  readonly top: number;
  readonly ticks: readonly number[];
}

/** Position and size in the picture. */
interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function chartSvg(result: ScalingResult): string {
  const { dimensions, rate } = result;
  const rows = Math.ceil(dimensions.length / COLUMNS);
  const width = COLUMNS * PANEL.width + 2 * MARGIN;
  const height = HEADER + rows * PANEL.height + MARGIN;
  const all = dimensions.flatMap(({ points }) => points);
  const throughput = scaleTo(highestOf(all, ({ perSecond }) => perSecond));
  const panels = dimensions.map((dimension, index) => {
    const x = MARGIN + (index % COLUMNS) * PANEL.width;
    const y = HEADER + Math.floor(index / COLUMNS) * PANEL.height;
    return panelOf(dimension, { x, y }, throughput);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    '<title>Throughput and p99 of the gateway, one thing varied at a time</title>',
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    text({ x: MARGIN + 6, y: 24, css: 'title' }, 'Throughput and p99, one thing varied at a time'),
    ...legend(rate),
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function legend(rate: number): string[] {
  const y = 44;
  const x = MARGIN + 6;
  return [
    `<rect class="bar" x="${x}" y="${y - 9}" width="10" height="10"/>`,
    text({ x: x + 16, y, css: 'left' }, 'messages/s at full speed, left axis'),
    `<circle class="p99" cx="${x + 240}" cy="${y - 4}" r="${RADIUS}"/>`,
    text(
      { x: x + 250, y, css: 'right' },
      `p99 to the consumer at ${rate.toLocaleString('en-US')}/s, right axis`,
    ),
    text({ x: x + 540, y }, 'whiskers: lowest and highest run'),
  ];
}

function panelOf(dimension: DimensionResult, at: { x: number; y: number }, throughput: Scale): string {
  const { name, title, points, setting } = dimension;
  const area = {
    x: at.x + PANEL.left,
    y: at.y + PANEL.top,
    width: PANEL.width - PANEL.left - PANEL.right,
    height: PANEL.height - PANEL.top - PANEL.bottom,
  };
  const p99 = scaleTo(highestOf(points, ({ p99Ms }) => p99Ms));
  const slot = area.width / points.length;
  const slots = points.map((point, index) => ({ point, x: area.x + index * slot, slot }));
  return [
    `<g class="panel" data-name="${escaped(name)}">`,
    text({ x: at.x + 6, y: at.y + 14, css: 'name' }, title),
    ...axes(area, throughput, p99),
    ...slots.map(({ point, x }) => barOf(point, { ...area, x, width: slot }, throughput)),
    ...(points.every(({ value }) => typeof value === 'number') ? lines(slots, area, p99) : []),
    ...slots.map(({ point, x }) => pointOf(point, { ...area, x, width: slot }, p99)),
    ...slots.map(({ point, x }) =>
      text({ x: x + slot / 2, y: area.y + area.height + 15, anchor: 'middle' }, valueText(point)),
    ),
    text(
      { x: area.x + area.width / 2, y: area.y + area.height + 31, anchor: 'middle' },
      setting ?? title.toLowerCase(),
    ),
    '</g>',
  ].join('\n');
}

function axes(area: Area, throughput: Scale, p99: Scale): string[] {
  const { x, y, width, height } = area;
  const right = x + width;
  return [
    ...throughput.ticks.flatMap((tick) => {
      const at = yOf(tick, throughput, area);
      return [
        `<line class="grid" x1="${n(x)}" y1="${n(at)}" x2="${n(right)}" y2="${n(at)}"/>`,
        text({ x: x - 6, y: at + 4, css: 'left', anchor: 'end' }, compact(tick)),
      ];
    }),
    ...p99.ticks.map((tick) =>
      text({ x: right + 6, y: yOf(tick, p99, area) + 4, css: 'right' }, compact(tick)),
    ),
    text({ x: x - 6, y: y - 12, css: 'left', anchor: 'end' }, 'msgs/s'),
    text({ x: right + 6, y: y - 12, css: 'right' }, 'p99 ms'),
    `<line class="axis" x1="${n(x)}" y1="${n(y + height)}" x2="${n(right)}" y2="${n(y + height)}"/>`,
  ];
}

function barOf(point: PointResult, slot: Area, scale: Scale): string {
  const spread = spreadOf(point, ({ perSecond }) => perSecond);
  const middle = slot.x + slot.width / 2;
  if (spread === undefined) {
    const why = escaped(point.skipped ?? point.failures[0] ?? '');
    const place = { x: middle, y: slot.y + slot.height - 8, css: 'none', anchor: 'middle' };
    return `<g><title>${why}</title>${text(place, 'n/a')}</g>`;
  }
  const from = slot.x + slot.width * BAR.from;
  const width = slot.width * (BAR.to - BAR.from);
  const top = yOf(spread.median, scale, slot);
  const said = `${valueText(point)}: ${rangeText(spread, 0)} messages/s`;
  return [
    `<rect class="bar" x="${n(from)}" y="${n(top)}" width="${n(width)}" height="${n(slot.y + slot.height - top)}"><title>${escaped(said)}</title></rect>`,
    whisker(spread, { css: 'range', x: from + width / 2 }, scale, slot),
  ].join('');
}

function pointOf(point: PointResult, slot: Area, scale: Scale): string {
  const spread = spreadOf(point, ({ p99Ms }) => p99Ms);
  if (spread === undefined) return '';
  const x = slot.x + slot.width * POINT_AT;
  const said = `${valueText(point)}: ${rangeText(spread, 1)} ms`;
  return [
    whisker(spread, { css: 'range99', x }, scale, slot),
    `<circle class="p99" cx="${n(x)}" cy="${n(yOf(spread.median, scale, slot))}" r="${RADIUS}"><title>${escaped(said)}</title></circle>`,
  ].join('');
}

/** Lines between neighbours that were both measured. */
function lines(
  slots: readonly { readonly point: PointResult; readonly x: number; readonly slot: number }[],
  area: Area,
  scale: Scale,
): string[] {
  const places = slots.map(({ point, x, slot }) => {
    const spread = spreadOf(point, ({ p99Ms }) => p99Ms);
    return spread && `${n(x + slot * POINT_AT)},${n(yOf(spread.median, scale, area))}`;
  });
  return places.flatMap((place, index) => {
    const next = places[index + 1];
    return place && next ? [`<polyline class="line" points="${place} ${next}"/>`] : [];
  });
}

function whisker(
  { min, max }: Spread,
  { css, x }: { css: string; x: number },
  scale: Scale,
  area: Area,
): string {
  if (min === max) return '';
  const [low, high] = [n(yOf(min, scale, area)), n(yOf(max, scale, area))];
  const [left, right, at] = [n(x - CAP), n(x + CAP), n(x)];
  return `<path class="${css}" d="M${at} ${low}V${high}M${left} ${low}H${right}M${left} ${high}H${right}"/>`;
}

interface TextPlace {
  readonly x: number;
  readonly y: number;
  readonly css?: string;
  readonly anchor?: string;
}

function text({ x, y, css, anchor }: TextPlace, content: string): string {
  const attributes = [
    `x="${n(x)}" y="${n(y)}"`,
    ...(css === undefined ? [] : [`class="${css}"`]),
    ...(anchor === undefined ? [] : [`text-anchor="${anchor}"`]),
  ];
  return `<text ${attributes.join(' ')}>${escaped(content)}</text>`;
}

/** From 0 to a round number at or above `highest`, in at most five steps. */
export function scaleTo(highest: number): Scale {
  const minStep = (highest > 0 ? highest : 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(minStep));
  const step = power * ([1, 2, 2.5, 5].find((factor) => factor * power >= minStep) ?? 10);
  const steps = Math.ceil((highest > 0 ? highest : 1) / step);
  // Multiplied, not added up: 0.1 + 0.2 is not 0.3.
  const ticks = Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12)));
  return { top: ticks.at(-1) as number, ticks };
}

function highestOf(points: readonly PointResult[], value: Parameters<typeof spreadOf>[1]): number {
  return Math.max(0, ...points.map((point) => spreadOf(point, value)?.max ?? 0));
}

const yOf = (value: number, { top }: Scale, { y, height }: Area): number => y + height * (1 - value / top);

/** Rounds to a tenth of a pixel. */
const n = (value: number): string => String(Number(value.toFixed(1)));

const valueText = ({ value }: PointResult): string =>
  typeof value === 'number' ? value.toLocaleString('en-US') : value;

function compact(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(2))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toFixed(1))}k`;
  return String(Number(value.toFixed(3)));
}

function rangeText({ median, min, max }: Spread, digits: number): string {
  const shown = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: digits });
  return min === max ? shown(median) : `${shown(median)} (${shown(min)}-${shown(max)})`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (content: string): string =>
  content.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '');
