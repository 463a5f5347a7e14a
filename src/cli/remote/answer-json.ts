// Reads JSON of the other side, which may be anything. JSON that is nested too deeply to be printed counts as none.

/** Twice as many levels as any answer of a gateway has. */
const MAX_LEVELS = 20;

/** Undefined if the text is no object or list. */
export function answerIn(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && isFlat(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Level by level: a recursion would fail itself. */
function isFlat(value: object): boolean {
  let level: unknown[] = [value];
  for (let left = MAX_LEVELS; left > 0 && level.length > 0; left--)
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  return level.length === 0;
}
