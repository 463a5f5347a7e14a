// How processes share SPOOL_DIR: the first one has the directory itself, as a single process does, each other one
// a part of its own. Nothing is moved when their number changes: parts without a process (orphaned parts) are sent by others.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** In the part of a process, the spool of its dead letters: `dead-letters/letters-<partition>`. */
const DEAD_LETTERS = 'dead-letters';
/** What the dead letters' logs are named after instead of a topic: KAFKA_TOPIC_DEAD_LETTERS may change or be empty. */
export const DEAD_LETTERS_NAME = 'letters';

const PART = /^process-([1-9]\d{0,2})$/;

/** Where the process with this index keeps its spool. */
export function partDirectory(root: string, index: number): string {
  return index === 0 ? root : join(root, `process-${index}`);
}

/** Where the dead letters are in a part of the spool. */
export function deadLettersDirectory(part: string): string {
  return join(part, DEAD_LETTERS);
}

/** The name of a part's directory. */
export function isPart(name: string): boolean {
  return PART.test(name);
}

/** The parts there are besides the root itself, by their process's index. */
export function partsIn(root: string): { index: number; directory: string }[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch {
    // It is not there yet, or it cannot be used: then opening it fails and says why.
    return [];
  }
  return names
    .flatMap((name) => PART.exec(name)?.[1] ?? [])
    .map((digits) => ({ index: Number(digits), directory: partDirectory(root, Number(digits)) }))
    .sort((a, b) => a.index - b.index);
}

/** The parts whose process is no more, and which this one of `processes` sends. */
export function orphanedPartsFor(
  index: number,
  { root, processes }: { root: string; processes: number },
): string[] {
  return partsIn(root)
    .filter((part) => part.index >= processes && part.index % processes === index)
    .map(({ directory }) => directory);
}
