// Times as people read them: short ones of latencies, long ones of ages, and moments.
import { UNKNOWN } from './numbers.ts';

/** A latency: `1.2 ms`, `34 ms`, `1.5 s`. */
export function latency(seconds: number | null): string {
  if (seconds === null) return UNKNOWN;
  if (!Number.isFinite(seconds)) return 'very long';
  const ms = seconds * 1000;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return seconds < 100 ? `${seconds.toFixed(1)} s` : age(seconds);
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** An age: `42 s`, `3 min 5 s`, `2 h 10 min`. */
export function age(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  const total = Math.max(0, Math.floor(seconds));
  const first = UNITS.findIndex(([, size]) => total >= size);
  if (first < 0) return '0 s';
  let rest = total;
  const parts: string[] = [];
  for (const [name, size] of UNITS.slice(first, first + 2)) {
    const number = Math.floor(rest / size);
    rest -= number * size;
    if (number > 0) parts.push(`${number} ${name}`);
  }
  return parts.join(' ');
}

/** The time of day of a moment in ISO 8601. */
export function timeOfDay(iso: string | undefined | null): string {
  const at = new Date(iso ?? Number.NaN);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
