// Reads fields of a gateway's answers, which another version of Sluice may have written. A field that is missing or of another
// type is read as an empty one. It prints nothing.
import type { HistogramValue } from '../../measure/histogram.ts';

export function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

export function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function numberIn(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

export function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Undefined if the field is no histogram: counts that are texts would reach the terminal as they are. */
export function histogramIn(value: unknown): HistogramValue | undefined {
  const { bounds, counts, sum } = objectIn(value);
  const isHistogram = [bounds, counts, [sum]].every(
    (list) => Array.isArray(list) && list.every((one) => typeof one === 'number'),
  );
  return isHistogram ? (value as HistogramValue) : undefined;
}
