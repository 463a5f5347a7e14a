// Finds a small set of steps that still fails: delta debugging (ddmin: Zeller and Hildebrandt, "Simplifying and Isolating
// Failure-Inducing Input", 2002). It knows nothing of steps or faults.

/**
 * A smallest subset of `items` that `fails`: no single one of them can be left out.
 * @param fails whether this subset fails in the same way. It is not called for all items, which are known to fail
 * @param mayGoOn false ends the search; the smallest subset so far is returned
 */
export async function shrink<T>(
  items: readonly T[],
  fails: (subset: readonly T[]) => Promise<boolean>,
  mayGoOn: () => boolean = () => true,
): Promise<readonly T[]> {
  if (items.length === 0) return items;
  if (mayGoOn() && (await fails([]))) return [];
  let left = items;
  let pieces = 2;
  while (left.length > 1) {
    const smaller = await smallerOf(left, { pieces: Math.min(pieces, left.length), fails, mayGoOn });
    if (smaller !== undefined) {
      left = smaller;
      pieces = Math.max(pieces - 1, 2);
    } else if (pieces >= left.length || !mayGoOn()) return left;
    else pieces *= 2;
  }
  return left;
}

/** A piece that fails alone, or all but one piece. Undefined if none does. */
async function smallerOf<T>(
  items: readonly T[],
  how: {
    pieces: number;
    fails: (subset: readonly T[]) => Promise<boolean>;
    mayGoOn: () => boolean;
  },
): Promise<readonly T[] | undefined> {
  const size = Math.ceil(items.length / how.pieces);
  const starts = Array.from({ length: Math.ceil(items.length / size) }, (_, piece) => piece * size);
  const pieces = starts.map((from) => items.slice(from, from + size));
  const rests = starts.map((from) => items.filter((_, at) => at < from || at >= from + size));
  // With two pieces, each one is the rest of the other.
  for (const subset of pieces.length === 2 ? pieces : [...pieces, ...rests]) {
    if (!how.mayGoOn()) return undefined;
    if (await how.fails(subset)) return subset;
  }
  return undefined;
}
