// The admin port: plain HTTP with limits that keep clients from taking memory or time from the devices. router.ts finds the
// answers.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { isLoopback } from '../config/ip-address.ts';
import { listening } from '../start/listen-error.ts';
import { Access } from './access/access.ts';
import type { AccessReason } from './access/refusals.ts';
import { Clients } from './http-clients.ts';
import { send, text } from './reply.ts';
import { answerTo, type PageSources } from './router.ts';
import { NotStartedError } from './snapshot.ts';
import { Streams } from './streams.ts';

export const ADMIN_LIMITS = {
  /** Enough for scrapers, probes and browsers. Past it, the connection that has been idle longest is closed. */
  maxConnections: 64,
  maxHeaderBytes: 8 * 1024,
  /** From the connection, or the end of the last answer, until the next request is complete. */
  requestTimeoutMs: 5_000,
  keepAliveMs: 5_000,
  /** A client that reads nothing of its answer for so long is cut off. */
  idleMs: 10_000,
  /** Of a stream, until a keep-alive. Proxies wait for a minute as a rule. */
  quietMs: 5_000,
} as const;

export interface HttpServerOptions extends PageSources {
  /** HTTP_HOST. */
  readonly host: string;
  /** HTTP_PORT, 0 = any free port. */
  readonly port: number;
  /** HTTP_ALLOWED_HOSTS, in lower case. */
  readonly allowedHosts?: readonly string[];
  /** HTTP_TOKEN at present, null if it is not set. */
  readonly token?: () => string | null;
  readonly limits?: Partial<Record<keyof typeof ADMIN_LIMITS, number>>;
}

export interface HttpServer {
  /** Resolves with the address of the port. Rejects with ListenError. */
  start(): Promise<AddressInfo>;
  /** Refused requests since the start, by reason. */
  readonly refused: Readonly<Record<AccessReason, number>>;
  /** Cuts every connection. Safe to call twice, and without start(). */
  close(): Promise<void>;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { host, port, allowedHosts = [], token = () => null, log } = options;
  const limits = { ...ADMIN_LIMITS, ...options.limits };
  const clients = new Clients(limits.maxConnections);
  const access = new Access({ host, allowedHosts, token, log });
  const streams = new Streams({ limits, clients, access });
  // A scrape that fails is repeated for ever, and would fill the log.
  const lines = log.limited();
  const complain = (error: unknown): void => lines.write('admin_request_failed', { err: error });
  let isOnLoopback = true;

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
      const { answer, pass } = await answerTo({ request, response, access, isOnLoopback }, options);
      if ('begin' in answer) await streams.begin(request, response, { reply: answer, pass });
      else send(request, response, answer);
    } catch (error) {
      if (error instanceof NotStartedError) return send(request, response, text(503, error.message));
      complain(error);
      send(request, response, text(500, 'internal error, see the log'));
    }
  }

  return {
    refused: access.refused,
    async start() {
      await listening({ setting: 'HTTP_PORT', host, port }, () => {
        server.listen({ host, port });
        return once(server, 'listening');
      });
      const address = server.address() as AddressInfo;
      isOnLoopback = isLoopback(address.address);
      return address;
    },
    close() {
      lines.flush();
      access.flush();
      streams.end();
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
