// JSON for the standard output of commands. Its texts may come from devices, brokers or another gateway, and JSON.stringify() leaves
// characters as they are that a terminal obeys.
import { printable } from '../config/printable.ts';

/** Lines of JSON with the same values, in which unsafe characters are escapes. */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).split('\n').map(printable).join('\n');
}
