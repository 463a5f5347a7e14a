// Tables of pages.

/** Text left, figures right: a column is figures where a cell begins with a digit. A bar in a cell is escaped. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const figures = head.map((_, column) => rows.some((row) => /^\d/.test(row[column] ?? '')));
  const rule = `|${figures.map((right) => (right ? '---:' : '---')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
