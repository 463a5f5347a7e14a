// Formats the cells in the tables of `sluice spool`: ages, topics and partitions. No I/O.
import type { LogPlace } from '../../spool/inspect.ts';

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

/** The topic of a log. Dead letters have no topic in their logs' names. */
export function topicText({ kind, topic }: Pick<LogPlace, 'kind' | 'topic'>): string {
  return kind === 'readings' ? topic : kind;
}

/** The partition or the kind of log, followed by the process unless it is the first. */
export function partitionText({
  log,
  number,
  process,
}: Pick<LogPlace, 'log' | 'number' | 'process'>): string {
  const text = { partition: `${number}`, unplaced: 'unplaced', gone: `gone ${number}` }[log];
  return process === 0 ? text : `${text} (process ${process})`;
}
