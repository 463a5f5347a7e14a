// Text for people: columns, sizes, ages. No I/O.
import type { LogKind } from '../../spool/names.ts';

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

export function bytesText(bytes: number): string {
  let amount = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (amount < 1024) return unit === 'B' ? `${bytes} B` : `${amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)} TiB`;
}

/** The two largest units: `3d 4h`, `12m 5s`. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first + 2)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join(' ');
}

/** What the rows of a partition are headed with. */
export function topicText({ kind, topic }: { kind: 'readings' | 'dead letters'; topic: string }): string {
  return kind === 'readings' ? topic : kind;
}

/** A partition's number, or what else the log is for; and whose part of the spool it is in, if not the first process's. */
export function partitionText({
  log,
  number,
  process,
}: {
  log: LogKind;
  number: number;
  process: number;
}): string {
  const text = { partition: `${number}`, unplaced: 'unplaced', gone: `gone ${number}` }[log];
  return process === 0 ? text : `${text} (process ${process})`;
}
