// Lays out rows in the columns that fit the width of a terminal. The least important columns go first.
import { cell } from './cell.ts';

export interface Column<Row> {
  readonly title: string;
  readonly width: number;
  readonly align?: 'right';
  /** The lower, the longer it stays. */
  readonly rank: number;
  readonly text: (row: Row) => string;
}

const GAP = '  ';

/** The columns that fit, in their order. */
export function fitting<Row>(columns: readonly Column<Row>[], width: number): Column<Row>[] {
  const byRank = [...columns].sort((one, other) => one.rank - other.rank);
  const kept = new Set<Column<Row>>();
  let used = -GAP.length;
  for (const column of byRank) {
    used += GAP.length + column.width;
    if (used > width && kept.size > 0) break;
    kept.add(column);
  }
  return columns.filter((column) => kept.has(column));
}

export function headOf<Row>(columns: readonly Column<Row>[]): string {
  return columns
    .map(({ title, width, align }) => cell(title, width, align))
    .join(GAP)
    .trimEnd();
}

export function rowOf<Row>(columns: readonly Column<Row>[], row: Row): string {
  return columns
    .map(({ text, width, align }) => cell(text(row), width, align))
    .join(GAP)
    .trimEnd();
}
