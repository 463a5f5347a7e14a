// A set of offsets as sorted ranges that do not touch, so that millions of neighbours take the room of one.

/** [from, end) */
export type OffsetRange = readonly [from: number, end: number];

export class OffsetRanges {
  #ranges: OffsetRange[];

  /** @param ranges sorted, without overlap */
  constructor(ranges: readonly OffsetRange[] = []) {
    this.#ranges = [...ranges];
  }

  get all(): readonly OffsetRange[] {
    return this.#ranges;
  }

  /** The highest offset, or -1. */
  get last(): number {
    return (this.#ranges.at(-1)?.[1] ?? 0) - 1;
  }

  has(offset: number): boolean {
    const range = this.#ranges[this.#after(offset) - 1];
    return range !== undefined && offset < range[1];
  }

  add(offset: number): void {
    if (this.has(offset)) return;
    const at = this.#after(offset);
    const before = this.#ranges[at - 1];
    const behind = this.#ranges[at];
    const joinsBefore = before?.[1] === offset;
    const joinsBehind = behind?.[0] === offset + 1;
    const from = joinsBefore && before ? before[0] : offset;
    const end = joinsBehind && behind ? behind[1] : offset + 1;
    const first = joinsBefore ? at - 1 : at;
    this.#ranges.splice(first, Number(joinsBefore) + Number(joinsBehind), [from, end]);
  }

  /** Forgets the offsets below `offset`. */
  dropBelow(offset: number): void {
    this.#ranges = this.#ranges.flatMap(([from, end]) =>
      end <= offset ? [] : [[Math.max(from, offset), end] as const],
    );
  }

  /** The index of the first range that begins behind the offset. */
  #after(offset: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.[0] ?? Infinity) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
