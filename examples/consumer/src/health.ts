// The health port: GET /healthz answers 200 with the counts, or 503 with the problems.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';

export interface Health {
  /** Empty: all is well. */
  readonly problems: readonly string[];
  readonly counts: object;
}

/** @throws if the port is taken */
export async function serveHealth(port: number, host: string, ask: () => Health): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/healthz') {
      response.writeHead(404).end();
      return;
    }
    const health = ask();
    response.writeHead(health.problems.length === 0 ? 200 : 503, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(health)}\n`);
  });
  server.listen(port, host);
  await once(server, 'listening');
  // It must not keep the process alive at a stop.
  server.unref();
  return server;
}
