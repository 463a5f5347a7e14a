// The answer to a request: whole, or a stream that goes on. It is only the form; http-server.ts and streams.ts send it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OutStream } from './out-stream.ts';

type Headers = Readonly<Record<string, string>>;

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Headers | undefined;
}

/** How many streams of a kind may be open. All together leave room for probes and scrapers (ADMIN_LIMITS). */
export const MAX_STREAMS = { events: 16, tap: 4, profile: 1 } as const;
export type StreamKind = keyof typeof MAX_STREAMS;

/** Why a stream is ended that could go on. */
export type EndReason = 'stopping' | 'login';

export interface StreamReply {
  readonly kind: StreamKind;
  readonly type: string;
  readonly headers?: Headers;
  /** Sent if nothing else was sent for some seconds, so that no proxy takes the stream for dead. */
  readonly keepAlive: string;
  /** The last words of a stream that is ended. */
  readonly farewell?: (reason: EndReason) => string;
  /** Begins to write. `out.signal` tells when to give up. */
  readonly begin: (out: OutStream) => void;
}

/** On everything: no answer is for a cache, for guessing its type, or for the pages of others. */
const COMMON_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

export const TEXT_TYPE = 'text/plain; charset=utf-8';

export function text(status: number, body: string): Reply {
  return { status, type: TEXT_TYPE, body: `${body}\n` };
}

/** For people too: a histogram takes two lines instead of forty. */
function jsonText(body: unknown): string {
  const lists = /\[\s+-?[\d.e+-]+(?:,\s+-?[\d.e+-]+)*\s+\]/g;
  return JSON.stringify(body, null, 2).replace(lists, (list) => list.replace(/\s+/g, ' '));
}

export function json(status: number, body: unknown, headers?: Headers): Reply {
  return { status, type: 'application/json', body: `${jsonText(body)}\n`, headers };
}

export function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const { status, type, body, headers } = reply;
  if (response.destroyed || response.headersSent) return;
  // The body of a request may not be read to its end, and its bytes would be taken for the next request.
  const { 'transfer-encoding': encoding, 'content-length': length = '0' } = request.headers;
  if (encoding !== undefined || length !== '0') response.shouldKeepAlive = false;
  const length304 = status === 304 ? {} : { 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, { 'Content-Type': type, ...length304, ...COMMON_HEADERS, ...headers });
  response.end(body);
}

export function sendStreamHead(response: ServerResponse, { type, headers }: StreamReply): void {
  response.shouldKeepAlive = false;
  // nginx would gather the stream until its buffer is full.
  const own = { 'X-Accel-Buffering': 'no', ...headers };
  response.writeHead(200, { 'Content-Type': type, ...COMMON_HEADERS, ...own });
  response.flushHeaders();
}
