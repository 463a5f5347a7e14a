// Lays out rows of cells as a table for people. No I/O.

/** The first row is the head. Columns named in `left` hold words and are aligned left, the others hold numbers. */
export function table(
  rows: readonly (readonly string[])[],
  left: readonly string[] = rows[0]?.slice(0, 1) ?? [],
): string {
  const head = rows[0] ?? [];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => {
      const cells = row.map((cell, column) =>
        left.includes(head[column] ?? '')
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0),
      );
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}
