// A mutant: a fault that reviews and simulations should find, as a unified diff of a few lines against one file of src.
//
// - The file begins with comment lines: the fault in words, then `Breaks:` and the promise that it breaks. A further
//   line `# Old kind:` names the kind of a fault that was once in the code.
// - The diff follows, as `diff -U3 --label a/FILE --label b/FILE` writes it. Its line numbers are only hints: lines that
//   moved are found by their text, if it is there once.

export interface Mutant {
  /** The name of its file, without `.patch`. */
  readonly name: string;
  /** Sentences. */
  readonly fault: string;
  readonly breaks: string;
  /** The kind of old fault. Undefined for a kind that was never in the code. */
  readonly oldKind: string | undefined;
  /** The patched file, from the root of the project. */
  readonly file: string;
  readonly hunks: readonly Hunk[];
}

/** Neighbouring lines, before and after. */
interface Hunk {
  /** The index of its first line in the file from which the diff was made. */
  readonly at: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** A patch is malformed, or does not fit the code any more. */
export class MutantError extends Error {
  readonly code = 'MUTANT';
}

const HEAD = /^(?<fault>.+?) Breaks: (?<breaks>.+?\.)(?: Old kind: (?<oldKind>.+)\.)?$/;

/** @throws MutantError if the text is not of the form that the head of this file describes */
export function parseMutant(name: string, text: string): Mutant {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const start = lines.findIndex((line) => line.startsWith('--- '));
  const words = lines
    .slice(0, Math.max(0, start))
    .map((line) => line.replace(/^#\s*/, ''))
    .join(' ');
  const head = HEAD.exec(words)?.groups;
  const file = /^\+\+\+ b\/(src\/\S+\.ts)$/.exec(lines[start + 1] ?? '')?.[1];
  if (head === undefined || file === undefined || lines[start] !== `--- a/${file}`)
    throw new MutantError(
      `${name}: its head has to be "# FAULT. Breaks: PROMISE." before a diff of one file of src`,
    );
  const { fault = '', breaks = '', oldKind } = head;
  return { name, fault, breaks, oldKind, file, hunks: hunksOf(name, lines.slice(start + 2)) };
}

function hunksOf(name: string, lines: readonly string[]): Hunk[] {
  const hunks: { at: number; before: string[]; after: string[] }[] = [];
  for (const line of lines) {
    const at = /^@@ -(\d+)/.exec(line)?.[1];
    const hunk = hunks.at(-1);
    if (at !== undefined) hunks.push({ at: Number(at) - 1, before: [], after: [] });
    else if (hunk === undefined || !/^[ +-]/.test(line))
      throw new MutantError(`${name}: no line of a diff: ${line}`);
    else {
      if (!line.startsWith('+')) hunk.before.push(line.slice(1));
      if (!line.startsWith('-')) hunk.after.push(line.slice(1));
    }
  }
  if (hunks.every(({ before, after }) => before.join('\n') === after.join('\n')))
    throw new MutantError(`${name}: it changes nothing`);
  return hunks;
}

/** The source with the fault. @throws MutantError if the lines around the fault have changed */
export function withFault({ name, file, hunks }: Mutant, source: string): string {
  const lines = source.split('\n');
  let moved = 0;
  for (const { at, before, after } of hunks) {
    const place = placeOf(before, lines, at + moved);
    if (place === undefined) {
      const advice = `make the patch again for today's ${file}, or delete it if the fault cannot be made any more`;
      throw new MutantError(
        `${name}: these lines are not in ${file}, or more than once: ${advice}\n${before.join('\n')}`,
      );
    }
    lines.splice(place, before.length, ...after);
    moved = place - at + after.length - before.length;
  }
  return lines.join('\n');
}

/** Undefined if the lines are not at the expected place, and not exactly once elsewhere. */
function placeOf(wanted: readonly string[], lines: readonly string[], expected: number): number | undefined {
  const fitsAt = (place: number) => wanted.every((line, index) => lines[place + index] === line);
  if (expected >= 0 && fitsAt(expected)) return expected;
  const places = [...lines.keys()].filter(fitsAt);
  return places.length === 1 ? places[0] : undefined;
}
