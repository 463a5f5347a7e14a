// Shows amounts to people: sizes and times, rounded. Exact values of settings are in kinds.ts.

export function bytesText(bytes: number): string {
  let amount = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    // Shown as 1.0 of the next unit, not as 1024.0 of this one.
    if (amount < (unit === 'B' ? 1023.5 : 1023.95))
      return unit === 'B' ? `${Math.round(amount)} B` : `${amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)} TiB`;
}

/**
 * With commas, and at most three decimals: `1,234.5`. `toLocaleString('en-US')` gives the same text, but loads the data of
 * languages: 12 ms and 7 MB of resident memory in each process.
 */
export function countText(count: number): string {
  const [whole = '', decimals] = String(Math.round(count * 1000) / 1000).split('.');
  const grouped = whole.replace(/(?<=\d)(?=(?:\d{3})+$)/g, ',');
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

const UNITS = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
  [1, 's'],
] as const;

/** The two largest units: `3d 4h`, `12m 5s`; below a second `250ms`. */
export function timeText(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))}ms`;
  let rest = Math.round(ms / 1000);
  const parts = UNITS.map(([seconds, unit]) => {
    const amount = Math.floor(rest / seconds);
    rest %= seconds;
    return { amount, shown: `${amount}${unit}` };
  });
  const first = parts.findIndex(({ amount }) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(({ amount }) => amount > 0)
    .map(({ shown }) => shown)
    .join(' ');
}
