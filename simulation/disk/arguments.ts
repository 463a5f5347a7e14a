// The forms in which node:fs takes its arguments.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export type PathArgument = string | Buffer | URL;

/** Relative paths are below the root, since a simulated process has no working directory of its own. */
export function pathOf(path: PathArgument): string {
  const text = path instanceof URL ? fileURLToPath(path) : String(path);
  // Not normalized: a slash at the end has a meaning.
  return text.startsWith('/') || text === '' ? text : resolve('/', text);
}

export interface Span {
  readonly bytes: Uint8Array;
  /** Null for the file's own position. */
  readonly position: number | null;
}

interface SpanOptions {
  readonly buffer?: Uint8Array;
  readonly offset?: number | null;
  readonly length?: number | null;
  readonly position?: number | bigint | null;
}

/** The arguments of read() and write(): (buffer, offset, length, position), (buffer, options), (options) or (text, position). */
export function spanOf(args: readonly unknown[]): Span {
  const [first, second, length, position] = args;
  if (typeof first === 'string') return { bytes: Buffer.from(first), position: numberOr(second, null) };
  if (!ArrayBuffer.isView(first)) return spanOfOptions(first as SpanOptions);
  const buffer = new Uint8Array(first.buffer, first.byteOffset, first.byteLength);
  if (typeof second === 'object' && second !== null)
    return spanOfOptions({ ...(second as SpanOptions), buffer });
  return spanOfOptions({
    buffer,
    offset: numberOr(second, null),
    length: numberOr(length, null),
    position: numberOr(position, null),
  });
}

function spanOfOptions({ buffer, offset, length, position }: SpanOptions): Span {
  const bytes = buffer ?? Buffer.alloc(16_384);
  const from = offset ?? 0;
  return {
    bytes: bytes.subarray(from, from + (length ?? bytes.length - from)),
    position: numberOr(position, null),
  };
}

function numberOr(value: unknown, otherwise: null): number | null {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' && value >= 0 ? value : otherwise;
}

/** The encoding among the options of readFile(); undefined for a Buffer. */
export function encodingOf(options: unknown): BufferEncoding | undefined {
  if (typeof options === 'string') return options as BufferEncoding;
  return (options as { encoding?: BufferEncoding | null } | undefined)?.encoding ?? undefined;
}
