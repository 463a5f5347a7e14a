// Refusals of all codes together.
import type { SnapshotShape } from '../api/shapes.ts';

/** All error replies, also those to a whole connection. */
export function refusals({ lines }: Pick<SnapshotShape, 'lines'>): number {
  return Object.values(lines.refused).reduce((total, count) => total + count, 0);
}
