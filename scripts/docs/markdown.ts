// Makes Markdown tables. It escapes bars in cells.

/** Aligns columns of figures to the right. A column is one of figures if one of its cells begins with a digit. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isFigures = (column: number) => rows.some((row) => /^\d/.test(row[column] ?? ''));
  return tableOf(head, rows, (column) => (isFigures(column) ? '---:' : '---'));
}

/** Aligns every column to the left. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return tableOf(head, rows, () => '---');
}

function tableOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  ruleOf: (column: number) => string,
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${head.map((_, column) => ruleOf(column)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
