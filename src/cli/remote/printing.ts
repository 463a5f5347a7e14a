// Prints answers of a gateway. No text of a device reaches the terminal as it is, in JSON neither.
import { say } from '../output.ts';
import { listIn } from './fields.ts';

const MAX_WIDTH = 80;

/** Says that processes did not answer, so that nobody takes a part for the whole. */
export function sayMissing(missing: unknown): void {
  const processes = listIn(missing).filter((one) => typeof one === 'number');
  if (processes.length > 0)
    say(`server processes that did not answer: ${processes.join(', ')}; this is without them`);
}

/** Of a column that has all the names, but for those that nobody would read. */
export function widthOf(names: readonly string[]): number {
  return names.reduce((width, { length }) => (length > MAX_WIDTH ? width : Math.max(width, length)), 0);
}
