// Finds free TCP ports for brokers and gateways.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the ports of outgoing connections (Linux: from 32768), so that a stopped broker finds its port free when it
// starts again.
const LOWEST = 20_000;
const HIGHEST = 32_000;

const given = new Set<number>();

/** A port on 127.0.0.1 that nothing listens on and that this process has not given out before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
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
