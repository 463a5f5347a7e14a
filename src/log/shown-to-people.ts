// Shows the value of a field in a message for people: durations, sizes and counts with their units. It knows no line.
import { bytesText, countText, timeText } from '../config/amounts.ts';
import type { FieldKind } from './line.ts';

export function shownToPeople(value: unknown, kind: FieldKind | undefined): string {
  if (value === undefined || value === null) return 'unknown';
  if (value instanceof Error) return value.message;
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value !== 'number') return String(value);
  switch (kind) {
    case 'ms':
    case 'ms?':
      return timeText(value);
    case 'bytes':
    case 'bytes?':
      return bytesText(value);
    case 'number':
    case 'number?':
      return String(value);
    default:
      return countText(value);
  }
}
