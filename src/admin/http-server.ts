// The admin listener: health, metrics and stats over plain HTTP, read only. Every answer is made from one
// snapshot; nothing here changes anything, and nobody on this port can take memory or time from the devices.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, isIPv4, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { rateLimited } from '../log/rate-limited-log.ts';
import { METRICS_CONTENT_TYPE, renderMetrics } from './metrics.ts';
import { NotStartedError, type OtherTopic, type Snapshot } from './snapshot.ts';

export const ADMIN_LIMITS = {
  /** A few scrapers, probes and browsers; more are closed at once. */
  maxConnections: 64,
  maxHeaderBytes: 8 * 1024,
  /** From the connection or the last answer's end to the whole next request. */
  requestTimeoutMs: 5_000,
  keepAliveMs: 5_000,
  /** A client that takes nothing of its answer for so long is cut. */
  idleMs: 10_000,
} as const;

export interface HttpServerOptions {
  /** HTTP_HOST. */
  readonly host: string;
  /** HTTP_PORT, 0 = any free one. */
  readonly port: number;
  /** Rejects with NotStartedError where there are no figures yet. */
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly log: Logger;
  readonly limits?: Partial<Record<keyof typeof ADMIN_LIMITS, number>>;
}

export interface HttpServer {
  /** Resolves with the real address; rejects with AdminListenError. */
  start(): Promise<AddressInfo>;
  /** Ends every connection, whatever its client is doing. Safe to call twice, and without start. */
  close(): Promise<void>;
}

/** The admin listener could not be opened; `cause` is the system's error. */
export class AdminListenError extends Error {
  readonly code = 'admin_listen_failed';
  readonly retriable = false;

  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    const why = cause.code === 'EADDRINUSE' ? 'the port is already in use' : cause.message;
    const remedy = 'Set HTTP_HOST and HTTP_PORT to a free address, or HTTP_PORT= (empty) to go without.';
    super(`Cannot serve health and metrics on HTTP_HOST=${host} HTTP_PORT=${port}: ${why}. ${remedy}`, {
      cause,
    });
    this.name = 'AdminListenError';
  }
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly allow?: string;
}

interface Route {
  readonly about: string;
  readonly reply: (snapshot: () => Snapshot | Promise<Snapshot>) => Reply | Promise<Reply>;
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/': { about: 'this list', reply: () => text(200, index()) },
  '/healthz': { about: '200 while the process lives and its event loop turns', reply: () => text(200, 'ok') },
  '/readyz': {
    about: '200 when devices are served, else 503 with the reasons',
    reply: async (s) => readiness(await s()),
  },
  '/stats': { about: 'all figures as JSON', reply: async (s) => json(200, await s()) },
  '/metrics': { about: 'all figures for Prometheus', reply: async (s) => metrics(await s()) },
};

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { host, port, snapshot, log } = options;
  const limits = { ...ADMIN_LIMITS, ...options.limits };
  const answering = new WeakSet<Socket>();
  let failure: unknown;
  // A failing scrape repeats for ever.
  const logFailure = rateLimited({ everyMs: 60_000 }, (count) =>
    log.error({ err: failure, count }, 'Admin HTTP failed'),
  );
  const complain = (error: unknown): void => {
    failure = error;
    logFailure();
  };
  let onLoopback = true;

  // A broken request ("clientError") and a connection reset are left to node: it answers 400, 408 or 431
  // where the socket still takes it, and closes.
  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.requestTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(1_000, limits.requestTimeoutMs),
  });
  server.maxConnections = limits.maxConnections;
  server.timeout = limits.idleMs;
  server.on('request', (request, response) => void handle(request, response));
  // Without this, `Expect: 100-continue` would be told to send a body that nobody reads.
  server.on('checkContinue', (request, response) => void handle(request, response));
  // While listening, this is accept() failing (EMFILE): it passes, and must not end the process.
  server.on('error', (error) => server.listening && complain(error));

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    // One answer at a time: requests pipelined ahead of reading would each park a reply in memory.
    if (answering.has(socket)) socket.destroy();
    if (socket.destroyed) return;
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
    try {
      send(request, response, await replyTo(request));
    } catch (error) {
      if (error instanceof NotStartedError) return send(request, response, text(503, error.message));
      complain(error);
      send(request, response, text(500, 'internal error, see the log'));
    }
  }

  function replyTo(request: IncomingMessage): Reply | Promise<Reply> {
    if (onLoopback && !isLocalName(request.headers.host, host)) {
      return text(
        403,
        'this Host is not served here; use localhost, 127.0.0.1, [::1] or the value of HTTP_HOST',
      );
    }
    const path = request.url?.split('?', 1)[0] ?? '';
    const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
    if (route === undefined) return text(404, `no such page; there are ${Object.keys(ROUTES).join(' ')}`);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { ...text(405, 'only GET and HEAD'), allow: 'GET, HEAD' };
    }
    return route.reply(snapshot);
  }

  return {
    async start() {
      try {
        server.listen({ host, port });
        await once(server, 'listening');
      } catch (error) {
        throw new AdminListenError(host, port, error as NodeJS.ErrnoException);
      }
      const address = server.address() as AddressInfo;
      onLoopback = isLoopback(address.address);
      return address;
    },
    close() {
      logFailure.flush();
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, body, allow }: Reply,
): void {
  if (response.destroyed || response.headersSent) return;
  // A body is never read, so what follows it on the connection cannot be told from it.
  if (hasBody(request)) response.shouldKeepAlive = false;
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(allow !== undefined && { Allow: allow }),
  });
  response.end(body);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function readiness(snapshot: Snapshot): Reply {
  const { ready, reasons } = snapshot.readiness;
  // Devices are served all the same, so these do not change the status.
  const otherTopics = snapshot.spool.otherTopics.flatMap(otherTopicText);
  const waiting = otherTopics.length > 0 && { otherTopics };
  return ready ? json(200, { ready, ...waiting }) : json(503, { ready, reasons, ...waiting });
}

function otherTopicText({ topic, records, problem }: OtherTopic): string[] {
  if (problem === null) return [];
  return [
    `${records} records of ${topic}, which KAFKA_TOPIC_METRICS no longer names, wait in the spool: ${problem}`,
  ];
}

async function metrics(snapshot: Snapshot): Promise<Reply> {
  return { status: 200, type: METRICS_CONTENT_TYPE, body: await renderMetrics(snapshot) };
}

function index(): string {
  const lines = Object.entries(ROUTES).map(([path, { about }]) => `${path.padEnd(10)}${about}`);
  return ['sluice', '', ...lines].join('\n');
}

function text(status: number, body: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function json(status: number, body: unknown): Reply {
  return { status, type: 'application/json', body: `${JSON.stringify(body, null, 2)}\n` };
}

/**
 * A web page can point a name of its own at 127.0.0.1 and read what it finds there (DNS rebinding); its
 * requests carry that name. Without a Host (HTTP/1.0 health checks) it was no browser.
 */
function isLocalName(header: string | undefined, boundHost: string): boolean {
  if (header === undefined) return true;
  const name = header
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === boundHost.toLowerCase() || isLoopback(name);
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}
