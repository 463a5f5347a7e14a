// One page of the pages of all processes.
import { type ConnectionPage, type ConnectionRow, comparePlaces, type Place } from './page.ts';

export interface MergedPage {
  readonly rows: readonly (ConnectionRow & { readonly process: number })[];
  /** Of all processes that answered. */
  readonly matching: number;
  readonly total: number;
  /** The place behind which the next page begins. Null if this is the last one. */
  readonly next: Place | null;
}

type OfProcess = { readonly process: number; readonly answer: Exclude<ConnectionPage, 'busy'> };

/** @param pages each has up to `limit` rows in their order */
export function mergePages(pages: readonly OfProcess[], limit: number): MergedPage {
  const all = pages.flatMap(({ process, answer }) =>
    answer.rows.map(({ key, ...row }) => ({ key, id: row.connection_id, row: { ...row, process } })),
  );
  const first = all.sort(comparePlaces).slice(0, limit);
  const hasMore = all.length > first.length || pages.some(({ answer }) => answer.hasMore);
  const last = first.at(-1);
  const sum = (of: (page: OfProcess['answer']) => number) =>
    pages.reduce((total, { answer }) => total + of(answer), 0);
  return {
    rows: first.map(({ row }) => row),
    matching: sum(({ matching }) => matching),
    total: sum(({ total }) => total),
    next: hasMore && last !== undefined ? { key: last.key, id: last.id } : null,
  };
}
