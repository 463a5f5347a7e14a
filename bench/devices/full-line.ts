// A line that is as long as the default of TCP_MAX_LINE_BYTES allows, made of many small parts.

const MAX_LINE_BYTES = 64 * 1024;

/** `head`, then as many of `part(0)`, `part(1)` and so on as fit, with commas between them, then `tail`. No LF. */
export function fullLine(head: string, part: (index: number) => string, tail: string): string {
  const parts: string[] = [];
  let bytes = Buffer.byteLength(head) + Buffer.byteLength(tail);
  for (let index = 0; ; index++) {
    const next = part(index);
    bytes += Buffer.byteLength(next) + 1;
    if (bytes > MAX_LINE_BYTES) return `${head}${parts.join(',')}${tail}`;
    parts.push(next);
  }
}
