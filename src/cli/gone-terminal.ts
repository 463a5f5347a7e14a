// Keeps Node from ending with SIGABRT when the terminal it was started on has closed: at its end it restores the
// terminal's modes, and takes an error there for a bug (ResetStdio in node.cc). It passes over closed descriptors.
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Call it at the start, while the terminal is there. */
export function surviveGoneTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.on('exit', () => {
    for (const descriptor of terminals) if (!isatty(descriptor)) closeSync(descriptor);
  });
}
