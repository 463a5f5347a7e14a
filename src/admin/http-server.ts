// The admin port: health, metrics and statistics over plain HTTP. Each answer comes from one snapshot. It changes
// nothing, and its limits keep clients from taking memory or time from the devices.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, isIPv4, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { rateLimited } from '../log/rate-limited-log.ts';
import { METRICS_CONTENT_TYPE, renderMetrics } from './metrics.ts';
import { NotStartedError, type Snapshot } from './snapshot.ts';

export const ADMIN_LIMITS = {
  /** Enough for scrapers, probes and browsers. Past it, the connection that has been idle longest is closed. */
  maxConnections: 64,
  maxHeaderBytes: 8 * 1024,
  /** From the connection, or the end of the last answer, until the next request is complete. */
  requestTimeoutMs: 5_000,
  keepAliveMs: 5_000,
  /** A client that reads nothing of its answer for so long is cut off. */
  idleMs: 10_000,
} as const;

export interface HttpServerOptions {
  /** HTTP_HOST. */
  readonly host: string;
  /** HTTP_PORT, 0 = any free port. */
  readonly port: number;
  /** Rejects with NotStartedError if there are no figures yet. */
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  readonly log: Logger;
  readonly limits?: Partial<Record<keyof typeof ADMIN_LIMITS, number>>;
}

export interface HttpServer {
  /** Resolves with the address of the port. Rejects with AdminListenError. */
  start(): Promise<AddressInfo>;
  /** Cuts every connection. Safe to call twice, and without start(). */
  close(): Promise<void>;
}

/** The admin port could not be opened; `cause` is the system's error. */
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
  '/metrics': {
    about: 'all figures for Prometheus',
    reply: async (s) => ({ status: 200, type: METRICS_CONTENT_TYPE, body: await renderMetrics(await s()) }),
  },
};

/**
 * The open connections. If there are too many, the one that has been idle longest is closed, so that idle clients never
 * keep a probe out. A request that is not complete counts as idle.
 */
class Clients {
  readonly #max: number;
  /** Ordered by the time at which each became idle. */
  readonly #idle = new Set<Socket>();
  readonly #answered = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    if (this.#idle.size + this.#answered.size >= this.#max) {
      const [victim] = this.#idle.size > 0 ? this.#idle : this.#answered;
      if (victim !== undefined) this.#close(victim);
    }
    this.#idle.add(socket);
    socket.once('close', () => this.#forget(socket));
  }

  isAnswered(socket: Socket): boolean {
    return this.#answered.has(socket);
  }

  begin(socket: Socket): void {
    this.#idle.delete(socket);
    this.#answered.add(socket);
  }

  end(socket: Socket): void {
    this.#answered.delete(socket);
    if (!socket.destroyed) this.#idle.add(socket);
  }

  /** Removes it at once: 'close' follows a turn later, and more connections may come before it. */
  #close(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
  }

  #forget(socket: Socket): void {
    this.#idle.delete(socket);
    this.#answered.delete(socket);
  }
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { host, port, snapshot, log } = options;
  const limits = { ...ADMIN_LIMITS, ...options.limits };
  const clients = new Clients(limits.maxConnections);
  let failure: unknown;
  // A scrape that fails is repeated for ever, and would fill the log.
  const logFailure = rateLimited({ everyMs: 60_000 }, (count) =>
    log.error({ err: failure, count }, 'Admin HTTP failed'),
  );
  const complain = (error: unknown): void => {
    failure = error;
    logFailure();
  };
  let onLoopback = true;

  // No listener for "clientError": Node answers a broken request with 400, 408 or 431 itself, and closes.
  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.requestTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(1_000, limits.requestTimeoutMs),
  });
  server.timeout = limits.idleMs;
  server.on('connection', (socket: Socket) => clients.add(socket));
  server.on('request', (request, response) => void handle(request, response));
  // Otherwise Node would tell `Expect: 100-continue` to send a body that nobody reads.
  server.on('checkContinue', (request, response) => void handle(request, response));
  // While the server listens, accept() may fail (EMFILE). That passes and must not end the process.
  server.on('error', (error) => server.listening && complain(error));

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    // One answer at a time: each pipelined request would otherwise hold an answer in memory.
    if (clients.isAnswered(socket)) socket.destroy();
    if (socket.destroyed) return;
    clients.begin(socket);
    response.once('close', () => clients.end(socket));
    try {
      send(request, response, await replyTo(request));
    } catch (error) {
      if (error instanceof NotStartedError) return send(request, response, text(503, error.message));
      complain(error);
      send(request, response, text(500, 'internal error, see the log'));
    }
  }

  function replyTo(request: IncomingMessage): Reply | Promise<Reply> {
    if (onLoopback && !isLocalName(request.headers.host, host))
      return text(
        403,
        'this Host is not served here; use localhost, 127.0.0.1, [::1] or the value of HTTP_HOST',
      );
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

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const { status, type, body, allow } = reply;
  if (response.destroyed || response.headersSent) return;
  // The body of a request is never read, so its bytes would be taken for the next request.
  const { 'transfer-encoding': encoding, 'content-length': length = '0' } = request.headers;
  if (encoding !== undefined || length !== '0') response.shouldKeepAlive = false;
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(allow !== undefined && { Allow: allow }),
  });
  response.end(body);
}

function readiness(snapshot: Snapshot): Reply {
  const { ready, reasons } = snapshot.readiness;
  // Devices are served all the same, so other topics do not change the status.
  const otherTopics = snapshot.spool.otherTopics.flatMap(({ topic, records, problem }) =>
    problem === null
      ? []
      : `${records} records of ${topic}, which KAFKA_TOPIC_METRICS no longer names, wait in the spool: ${problem}`,
  );
  const waiting = otherTopics.length > 0 && { otherTopics };
  return ready ? json(200, { ready, ...waiting }) : json(503, { ready, reasons, ...waiting });
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
 * Against DNS rebinding: a web page can point its own name at 127.0.0.1 and read our answers, but its requests carry that
 * name. Browsers always send a Host; HTTP/1.0 health checks may not.
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
