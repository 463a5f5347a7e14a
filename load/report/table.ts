// Columns of text for people. No I/O.

/** The first row is the head. Columns named in `left` are words, the others numbers. */
export function table(rows: readonly (readonly string[])[], left: readonly string[]): string {
  const head = rows[0] ?? [];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
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
