// Divides SPOOL_DIR among processes: the first process, or a single one, uses the directory itself, each other process a
// part `process-<n>` in it. If the number of processes changes, nothing is moved: other processes send the parts that
// have lost theirs (orphaned parts).
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The folder with the dead letters in a process's part: `dead-letters/letters-<partition>`. */
const DEAD_LETTERS = 'dead-letters';
/** The folder of presence in the whole spool: one for all processes. */
const PRESENCE = 'presence';
/** Stands for the topic in the names of the dead letters' logs: KAFKA_TOPIC_DEAD_LETTERS may change or be empty. */
export const DEAD_LETTERS_NAME = 'letters';

const PART = /^process-([1-9]\d{0,2})$/;

export function partDirectory(root: string, index: number): string {
  return index === 0 ? root : join(root, `process-${index}`);
}

export function deadLettersDirectory(part: string): string {
  return join(part, DEAD_LETTERS);
}

export function presenceDirectory(root: string): string {
  return join(root, PRESENCE);
}

export function isPart(name: string): boolean {
  return PART.test(name);
}

/** The parts besides the root itself, sorted by the index of their process. */
export function partsIn(root: string): { index: number; directory: string }[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch {
    // The root is missing, or opening it will fail and give the reason.
    return [];
  }
  return names
    .flatMap((name) => PART.exec(name)?.[1] ?? [])
    .map((digits) => ({ index: Number(digits), directory: partDirectory(root, Number(digits)) }))
    .sort((a, b) => a.index - b.index);
}

/** The orphaned parts that the process with this index sends. */
export function orphanedPartsFor(
  index: number,
  { root, processes }: { root: string; processes: number },
): string[] {
  return partsIn(root)
    .filter((part) => part.index >= processes && part.index % processes === index)
    .map(({ directory }) => directory);
}
