// Measures the memory of TLS connections of the gateway, a bare Node server and HAProxy at the same time: 2,000 after the
// handshake, and after each has sent a line.
import { Child } from '../../load/processes/child.ts';
import type { TlsClientCalls } from '../devices/tls-clients.ts';
import { type OfServers, ofServers, type TlsOptions, withTlsServers } from '../servers/tls-servers.ts';
import { SILENT_SETTINGS, settledBytes } from './settled.ts';

export interface TlsMemory {
  /** Resident memory for each connection, in 1,000 bytes. */
  readonly idleKb: OfServers;
  readonly afterLineKb: OfServers;
}

const CLIENTS = new URL('../devices/tls-clients.js', import.meta.url);
const CONNECTIONS = 2_000;
/** Also written to the other servers, which throw it away. */
const LINES =
  '{"type":"identify","zipcode":"10001","city":"Benchfield"}\n{"type":"metrics","data":{"temperature":21.5}}\n';

/** Rejects if a connection is refused or a line is lost, with the end of the gateway's log. */
export function measureTlsMemory(options: TlsOptions): Promise<TlsMemory> {
  const { signal, certificate } = options;
  const clients = new Child<TlsClientCalls>(CLIENTS, { signal });
  const how = { ...options, profileDir: undefined };
  const measured = withTlsServers(how, SILENT_SETTINGS, async (servers, { server }) => {
    const sizes = async () =>
      new Map(
        await Promise.all(
          servers.map(
            async (one) => [one.name, await settledBytes(() => one.residentBytes(), signal)] as const,
          ),
        ),
      );
    const none = await sizes();
    for (const { port } of servers)
      await clients.call('keep', { port, ca: certificate.cert, version: 'TLSv1.3', count: CONNECTIONS });
    const idle = await sizes();
    await clients.call('write', LINES);
    await server.untilConfirmed(CONNECTIONS);
    const afterLine = await sizes();
    const { connections } = await server.stats();
    if (connections.active !== CONNECTIONS) throw new Error(`${connections.active} connections are open`);
    const each = (bytes: Awaited<ReturnType<typeof sizes>>) =>
      ofServers(
        new Map([...bytes].map(([name, now]) => [name, (now - (none.get(name) ?? 0)) / CONNECTIONS / 1000])),
      );
    return { idleKb: each(idle), afterLineKb: each(afterLine) };
  });
  return measured.finally(() => clients.stop());
}
