// Lays out rows of cells as a table for people. No I/O.

/** The first row is the head. The first column holds words and is aligned left, the others hold numbers. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(([first = '', ...numbers]) => {
      const cells = numbers.map((cell, index) => cell.padStart(widths[index + 1] ?? 0));
      return `${[first.padEnd(widths[0] ?? 0), ...cells].join('  ').trimEnd()}\n`;
    })
    .join('');
}
