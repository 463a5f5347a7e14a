// Records what the admin port is asked and answers, from within its HTTP server: so it sees browsers, curl and bytes that a
// test writes by hand. Every process of a test run loads it, so it imports no code of the gateway.
import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http';
import { note } from './traffic-file.ts';

/** A request to the admin port, and its answer. */
export interface AdminExchange {
  readonly method: string;
  /** With the query. */
  readonly target: string;
  readonly requestType: string;
  readonly requestBody: string;
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of JSON, text and streams; null of other types, and of profiles. */
  readonly body: string | null;
  /** False if the rest of the body is not here. */
  readonly isWhole: boolean;
}

/** The history in /events has 115 kB. */
const MAX_BODY_BYTES = 300_000;
const RECORDED = /^(?:application\/(?:json|x-ndjson)|text\/(?:plain|event-stream))/;
const BOUND = { first: 12, oneIn: 97 };

interface Started {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly server: Server;
}

export function recordAdminPort(): void {
  subscribe('http.server.request.start', (message) => {
    const started = message as Started;
    // The servers that tests make for themselves set no limit of their own.
    const { maxHeaderSize } = started.server as Server & { readonly maxHeaderSize?: number };
    if (maxHeaderSize !== undefined) record(started);
  });
}

function record({ request, response }: Started): void {
  const { method = '', url: target = '' } = request;
  const sent = textOf(request);
  const headers: Record<string, string> = {};
  const written: Buffer[] = [];
  let length = 0;
  let isNoted = false;
  const take = (chunk: unknown) => {
    if (isNoted || (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))) return;
    // One byte more than is kept says that the body is not whole.
    const part = Buffer.from(chunk).subarray(0, MAX_BODY_BYTES + 1 - length);
    written.push(part);
    length += part.length;
    if (length > MAX_BODY_BYTES) noteIt();
  };
  const { writeHead, write, end } = response;
  response.writeHead = function (this: ServerResponse, status: number, ...rest: unknown[]) {
    for (const [name, value] of Object.entries((rest.at(-1) ?? {}) as OutgoingHttpHeaders))
      headers[name.toLowerCase()] = String(value);
    return Reflect.apply(writeHead, this, [status, ...rest]);
  };
  response.write = function (this: ServerResponse, ...args: unknown[]) {
    take(args[0]);
    return Reflect.apply(write, this, args);
  };
  response.end = function (this: ServerResponse, ...args: unknown[]) {
    take(args[0]);
    return Reflect.apply(end, this, args);
  };
  const noteIt = () => {
    if (isNoted || !response.headersSent) return;
    isNoted = true;
    const [path = '', query = ''] = target.split('?');
    const names = [...new URLSearchParams(query).keys()].sort().join('&');
    const type = headers['content-type'] ?? '';
    const isRecorded = RECORDED.test(type) && !(path === '/profile' && type === 'application/json');
    const page = /^\/[a-z-]*$/.test(path) ? `${path}?${names.slice(0, 100)}` : 'other';
    const group = `${method} ${page} ${response.statusCode} ${type}`;
    const exchange = (): AdminExchange => ({
      method,
      target,
      requestType: request.headers['content-type'] ?? '',
      requestBody: sent(),
      status: response.statusCode,
      headers,
      body: isRecorded ? Buffer.concat(written).toString() : null,
      isWhole: response.writableFinished && length <= MAX_BODY_BYTES,
    });
    note('admin', group, exchange, BOUND);
    written.length = 0;
  };
  response.once('close', noteIt);
}

/** The body of the request as far as it is read. A listener of our own would begin to read it. */
function textOf(request: IncomingMessage): () => string {
  const chunks: Buffer[] = [];
  const { emit } = request;
  request.emit = function (this: IncomingMessage, name: string | symbol, ...args: unknown[]): boolean {
    const [chunk] = args;
    if (name === 'data' && Buffer.isBuffer(chunk)) chunks.push(chunk);
    return Reflect.apply(emit, this, [name, ...args]) as boolean;
  };
  return () => Buffer.concat(chunks).toString();
}
