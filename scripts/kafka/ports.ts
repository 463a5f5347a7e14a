// Finds free TCP ports for brokers.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the ports of outgoing connections (on Linux from 32768), which could take the port of a broker that restarts.
const MIN_PORT = 20_000;
const MAX_PORT = 32_000;

const given = new Set<number>();

/** A port on 127.0.0.1 without a listener, which this process has not given out before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(MIN_PORT, MAX_PORT);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}
