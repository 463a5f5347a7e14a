// Builds a spool's messages for the operator: what happened, what it means for the data, what to do.
import type { Unreadable } from './read-errors.ts';

export interface SpoolRemark {
  readonly level: 'info' | 'warn' | 'error';
  readonly text: string;
}

export function unreadableRemark({ path, from, to, reason }: Unreadable): SpoolRemark {
  const records =
    to === null ? `the records from offset ${from} on` : `${to - from} records from offset ${from} on`;
  return {
    level: 'error',
    text: `the disk does not give back ${records} of ${path} (${reason}): they are not delivered and count as damaged, and the file is kept under a name that ends with .bad; check the disk`,
  };
}
