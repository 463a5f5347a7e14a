// The first rows of an order out of many, found in one pass: a sorted list of bounded length.
import { comparePlaces, type Place } from './page.ts';

export interface Placed<T> extends Place {
  readonly item: T;
}

export class FirstRows<T> {
  readonly rows: Placed<T>[] = [];
  /** Rows that came behind the last one, or were pushed out by others. */
  hasMore = false;
  readonly #limit: number;
  readonly #after: Place | null;

  /** @param after only rows behind this place count */
  constructor(limit: number, after: Place | null) {
    this.#limit = limit;
    this.#after = after;
  }

  offer(row: Placed<T>): void {
    if (this.#after !== null && comparePlaces(row, this.#after) <= 0) return;
    const { rows } = this;
    const last = rows.at(-1);
    if (rows.length === this.#limit) {
      this.hasMore = true;
      if (last === undefined || comparePlaces(row, last) >= 0) return;
      rows.pop();
    }
    rows.splice(this.#indexFor(row), 0, row);
  }

  #indexFor(row: Place): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const one = this.rows[middle];
      if (one !== undefined && comparePlaces(one, row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
