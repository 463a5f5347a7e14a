// The picture of `sluice top` as lines for a terminal of any size: the head, the busiest connections, and a last line with the keys.
// It asks nothing and draws nothing.

import { CLOSED_COLUMNS, OPEN_COLUMNS, type Page } from '../remote/connection-rows.ts';
import type { Sort } from '../remote/options.ts';
import { cell, cut } from '../terminal/cell.ts';
import { fitting, headOf, rowOf } from '../terminal/columns.ts';
import type { Line } from '../terminal/screen.ts';
import type { Figures } from './figures.ts';
import { countText, headLines } from './head.ts';

export interface View {
  readonly figures: Figures | undefined;
  /** A text says why there are none. */
  readonly page: Page | string | undefined;
  readonly sort: Sort;
  readonly reverse: boolean;
  readonly closed: boolean;
  readonly search: string;
  /** The search is being written. */
  readonly isSearching: boolean;
  readonly isPaused: boolean;
  /** Why there is nothing new. */
  readonly failure: string | undefined;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The most useful first: a narrow terminal shows no more. */
export const KEYS: readonly (readonly [key: string, about: string])[] = [
  ['q', 'quit'],
  ['/', 'search'],
  ['c', 'closed'],
  ['o', 'reverse'],
  ['p', 'pause'],
  ['r b l e a', 'sort by rate, bytes, lines, errors, age'],
];

export function linesOf(view: View, { width, height }: Size): Line[] {
  const { figures, failure } = view;
  const head = figures === undefined ? [] : headLines(figures, width);
  const alarm: Line[] = failure === undefined ? [] : [{ text: cut(failure, width), style: 'alarm' }];
  const above = [...alarm, ...head];
  const rows = tableLines(view, { width, height: height - above.length - 1 });
  const lines = [...above, ...rows].slice(0, height - 1);
  const gap = Array.from({ length: Math.max(0, height - 1 - lines.length) }, (): Line => ({ text: '' }));
  return [...lines, ...gap, lastLine(view, width)];
}

export function tableLines({ page, closed, sort, reverse, search }: View, { width, height }: Size): Line[] {
  if (page === undefined) return [];
  if (typeof page === 'string') return [{ text: cut(page, width), style: 'faint' }];
  const columns = fitting(closed ? CLOSED_COLUMNS : OPEN_COLUMNS, width);
  const order = closed ? 'the last first' : `by ${sort}${reverse ? ', least first' : ''}`;
  const found = search === '' ? '' : ` match "${search}"`;
  const title = `${countText(page.matching)} ${closed ? 'closed' : 'open'} connections${found}, ${order}`;
  return [
    { text: '' },
    { text: cut(title, width) },
    { text: cell(headOf(columns), width), style: 'head' },
    ...page.rows.slice(0, Math.max(0, height - 3)).map((row): Line => ({ text: rowOf(columns, row) })),
  ];
}

function lastLine({ isSearching, isPaused, search }: View, width: number): Line {
  if (isSearching)
    return { text: cut(`search: ${search}_   Enter: go on   Esc: all`, width), style: 'title' };
  if (isPaused) return { text: cut('PAUSED   p: go on   q: quit', width), style: 'title' };
  return { text: cut(KEYS.map(([key, about]) => `${key}: ${about}`).join('   '), width), style: 'faint' };
}
