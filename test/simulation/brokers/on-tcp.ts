// Serves a simulated cluster on real sockets of this machine, for tests that ask it and a real Kafka the same.
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { freePort } from '../../../scripts/kafka/ports.ts';
import { Brokers, type BrokersOptions, type Listen } from '../../../simulation/brokers/brokers.ts';
import { realClock } from '../../../simulation/brokers/clock.ts';

const listen: Listen = ({ port }, serve) =>
  new Promise((resolve, reject) => {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      serve(socket);
    });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve({ close: () => server.close() }));
  });

/** Closed after the test. */
export async function brokersOnTcp(
  t: TestContext,
  { count = 1, ...options }: Partial<BrokersOptions> & { readonly count?: number } = {},
): Promise<Brokers> {
  const nodes = [];
  for (let nodeId = 1; nodeId <= count; nodeId++)
    nodes.push({ nodeId, host: '127.0.0.1', port: await freePort() });
  const brokers = await Brokers.start({ clock: realClock, nodes, listen, startMs: 50, ...options });
  t.after(() => brokers.close());
  return brokers;
}

/** host:port of each broker, comma-separated. */
export const bootstrapOf = (brokers: Brokers): string =>
  brokers.nodeIds.map((id) => `127.0.0.1:${brokers.node(id).address.port}`).join();
