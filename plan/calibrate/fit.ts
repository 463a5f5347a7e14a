// Least squares for a handful of terms that cannot be negative. Each observation counts by its relative error, so that a
// small load counts as much as a large one.

/** @param rows the factors of each term @returns a coefficient for each term */
export function fit(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const terms = rows[0]?.length ?? 0;
  let active = Array.from({ length: terms }, (_, term) => term);
  for (;;) {
    const solved = solve(rows, values, active);
    const lowest = active.reduce((low, _, n) => ((solved[n] ?? 0) < (solved[low] ?? 0) ? n : low), 0);
    if (active.length === 0 || (solved[lowest] ?? 0) >= 0) {
      const all = new Array<number>(terms).fill(0);
      active.forEach((term, n) => {
        all[term] = solved[n] ?? 0;
      });
      return all;
    }
    // A term that comes out negative explains nothing.
    active = active.filter((_, n) => n !== lowest);
  }
}

/** The normal equations, by elimination. */
function solve(
  rows: readonly (readonly number[])[],
  values: readonly number[],
  active: readonly number[],
): number[] {
  const size = active.length;
  const matrix = active.map((row) => [
    ...active.map((column) => sumOver(rows, values, (factors) => at(factors, row) * at(factors, column))),
    sumOver(rows, values, (factors, value) => at(factors, row) * value),
  ]);
  for (let column = 0; column < size; column++) {
    const pivot = matrix
      .slice(column)
      .reduce((best, row) => (Math.abs(at(row, column)) > Math.abs(at(best, column)) ? row : best));
    const place = matrix.indexOf(pivot);
    [matrix[column], matrix[place]] = [pivot, matrix[column] ?? []];
    for (const row of matrix) {
      if (row === pivot || at(pivot, column) === 0) continue;
      const factor = at(row, column) / at(pivot, column);
      for (let index = column; index <= size; index++)
        row[index] = at(row, index) - factor * at(pivot, index);
    }
  }
  return matrix.map((row, n) => (at(row, n) === 0 ? 0 : at(row, size) / at(row, n)));
}

function sumOver(
  rows: readonly (readonly number[])[],
  values: readonly number[],
  term: (factors: readonly number[], value: number) => number,
): number {
  return rows.reduce((sum, factors, n) => {
    const value = values[n] ?? 0;
    return value === 0 ? sum : sum + term(factors, value) / value ** 2;
  }, 0);
}

const at = (row: readonly number[], index: number): number => row[index] ?? 0;
