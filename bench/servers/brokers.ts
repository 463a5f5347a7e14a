// Finds the addresses of all brokers of a cluster.
import { withAdmin } from '../../scripts/kafka/client.ts';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);

/** host:port of every broker. Rejects if one is on another machine, because the proxy listens on loopback. */
export async function localBrokers(bootstrap: string): Promise<string[]> {
  const { brokers } = await withAdmin(bootstrap, (admin) => admin.describeCluster());
  const away = brokers.find(({ host }) => !LOOPBACK.has(host));
  if (away !== undefined) throw new Error(`a proxy needs brokers on this machine, not ${away.host}`);
  return brokers.map(({ host, port }) => `${host}:${port}`);
}
