// Reads and encodes record bodies: a record's bytes from the key's length on, that is key, value and headers. A body is
// the same in every batch that holds the record; only the fields before it depend on the batch.
import { readVarint, writeVarint } from './varint.ts';

/**
 * Visits each record of a batch.
 * @param records all of them, uncompressed
 * @throws RangeError if they are cut short
 */
export function forEachRecord(
  records: Uint8Array,
  baseTimestamp: number,
  visit: (timestampMs: number, body: Uint8Array, offsetDelta: number) => void,
): void {
  const cursor = { at: 0 };
  while (cursor.at < records.length) {
    const length = readVarint(records, cursor);
    const end = cursor.at + length;
    cursor.at++;
    const timestamp = baseTimestamp + readVarint(records, cursor);
    const offsetDelta = readVarint(records, cursor);
    visit(timestamp, records.subarray(cursor.at, end), offsetDelta);
    cursor.at = end;
  }
}

/** Reads a key, a value, or a header's name or value. A missing one is empty. */
function readPart(body: Uint8Array, cursor: { at: number }): Uint8Array {
  const bytes = Math.max(0, readVarint(body, cursor));
  cursor.at += bytes;
  return body.subarray(cursor.at - bytes, cursor.at);
}

/** Empty if the record has no key. */
export function keyOf(body: Uint8Array): Uint8Array {
  return readPart(body, { at: 0 });
}

export function isKeyless(body: Uint8Array): boolean {
  return readVarint(body, { at: 0 }) < 0;
}

/** Key and value. A missing one is empty. */
export function recordParts(body: Uint8Array): { key: Uint8Array; value: Buffer } {
  const cursor = { at: 0 };
  const key = readPart(body, cursor);
  return { key, value: Buffer.from(readPart(body, cursor)) };
}

export type Header = readonly [name: string, value: Uint8Array];

export function recordHeaders(body: Uint8Array): Record<string, string> {
  return Object.fromEntries(headerList(body).map(([name, value]) => [name, Buffer.from(value).toString()]));
}

export function hasHeaders(body: Uint8Array): boolean {
  return headerList(body).length > 0;
}

/** In their order, with the bytes of their values. */
export function headerList(body: Uint8Array): Header[] {
  const cursor = { at: 0 };
  // Skip key and value.
  readPart(body, cursor);
  readPart(body, cursor);
  const count = readVarint(body, cursor);
  return Array.from({ length: count }, () => [
    Buffer.from(readPart(body, cursor)).toString(),
    readPart(body, cursor),
  ]);
}

/**
 * The body of a record. Without `key` it has none. A null value is a tombstone.
 * @param headers a list keeps names that are numbers in their places, and names that come twice
 */
export function encodeBody(
  value: Uint8Array | null,
  headers: Readonly<Record<string, string | Uint8Array>> | readonly Header[],
  key?: Uint8Array,
): Buffer {
  const list: readonly (readonly [string, string | Uint8Array])[] = isList(headers)
    ? headers
    : Object.entries(headers);
  const entries = list.map(
    ([name, text]) => [Buffer.from(name), typeof text === 'string' ? Buffer.from(text) : text] as const,
  );
  const bound = entries.reduce(
    (sum, [name, text]) => sum + name.length + text.length + 10,
    (value?.length ?? 0) + (key?.length ?? 0) + 20,
  );
  const body = Buffer.alloc(bound);
  let at = writeVarint(body, 0, key?.length ?? -1);
  if (key !== undefined) body.set(key, at);
  at = writeVarint(body, at + (key?.length ?? 0), value?.length ?? -1);
  if (value !== null) body.set(value, at);
  at = writeVarint(body, at + (value?.length ?? 0), entries.length);
  for (const [name, text] of entries) {
    at = writeVarint(body, at, name.length);
    body.set(name, at);
    at = writeVarint(body, at + name.length, text.length);
    body.set(text, at);
    at += text.length;
  }
  return body.subarray(0, at);
}

function isList(headers: object): headers is readonly Header[] {
  return Array.isArray(headers);
}
