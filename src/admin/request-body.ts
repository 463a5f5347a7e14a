// Reads the body of a POST: its bytes, up to a limit, and its fields. It knows no page.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The longest HTTP_TOKEN, in a form that escapes each character. */
export const MAX_BODY_BYTES = 4096;

/** Undefined if the body is too long, or if the client has gone. */
export function readBody(request: IncomingMessage, response: ServerResponse): Promise<string | undefined> {
  if (request.headers.expect !== undefined) response.writeContinue();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) {
        request.pause();
        resolve(undefined);
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.once('close', () => resolve(undefined));
  });
}

/** The fields of a JSON object, or of a form as curl sends it. Undefined if the body is neither. */
export function fieldsIn(body: string): ReadonlyMap<string, unknown> | undefined {
  const text = body.trim();
  if (!text.startsWith('{')) return new Map(new URLSearchParams(text));
  try {
    return new Map<string, unknown>(Object.entries(JSON.parse(text) as object));
  } catch {
    return undefined;
  }
}

/** Undefined if the body has no such field, or one that is not a text. */
export function textIn(body: string, name: string): string | undefined {
  const value = fieldsIn(body)?.get(name);
  return typeof value === 'string' ? value : undefined;
}
