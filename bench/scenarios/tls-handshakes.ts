// Measures full TLS handshakes a second and core of the gateway, a bare Node server and HAProxy, which take turns.
import type { SecureVersion } from 'node:tls';
import { Child } from '../../load/processes/child.ts';
import type { TlsClientCalls } from '../devices/tls-clients.ts';
import { nowUs } from '../now-us.ts';
import {
  type OfServers,
  ofServers,
  type TlsOptions,
  type TlsServer,
  type TlsServerName,
  withTlsServers,
} from '../servers/tls-servers.ts';

export interface Handshakes {
  readonly tls13: OfServers;
  readonly tls12: OfServers;
  readonly windowUs: readonly [from: number, to: number];
}

const CLIENTS = new URL('../devices/tls-clients.js', import.meta.url);
const VERSIONS = ['TLSv1.3', 'TLSv1.2'] as const;
/** A client needs more CPU for a handshake than a server. */
const CLIENT_PROCESSES = 2;
/** Of each server and version. After 1,000, half of the gateway's code was still interpreted. */
const WARM_UP_HANDSHAKES = 4_000;
const WARM_UP_STEP_SECONDS = 0.5;
const TURNS = 2;

/** Counts handshakes by the CPU time that a server used, because the clients share the machine. */
export function measureHandshakes(options: TlsOptions): Promise<Handshakes> {
  const { signal } = options;
  const clients = Array.from(
    { length: CLIENT_PROCESSES },
    () => new Child<TlsClientCalls>(CLIENTS, { signal }),
  );
  const measured = withTlsServers(options, { TCP_PROCESSES: '1' }, async (servers) => {
    const shake = async ({ port }: TlsServer, version: SecureVersion, seconds: number) => {
      const how = { port, ca: options.certificate.cert, version, seconds };
      const counts = await Promise.all(clients.map((process) => process.call('handshakes', how)));
      return counts.reduce((sum, count) => sum + count, 0);
    };
    for (const version of VERSIONS) {
      for (const server of servers) {
        for (let done = 0; done < WARM_UP_HANDSHAKES; )
          done += await shake(server, version, WARM_UP_STEP_SECONDS);
      }
    }
    const sums = new Map(VERSIONS.map((version) => [version, new Map<TlsServerName, Sum>()]));
    const fromUs = nowUs();
    for (let turn = 0; turn < TURNS; turn++) {
      for (const [version, ofVersion] of sums) {
        for (const server of servers) {
          const before = server.cpuSeconds();
          const count = await shake(server, version, options.seconds / TURNS);
          const sum = ofVersion.get(server.name) ?? { count: 0, cpuSeconds: 0 };
          sum.count += count;
          sum.cpuSeconds += server.cpuSeconds() - before;
          ofVersion.set(server.name, sum);
        }
      }
    }
    const rates = (version: (typeof VERSIONS)[number]) =>
      ofServers(
        new Map([...(sums.get(version) ?? [])].map(([name, sum]) => [name, sum.count / sum.cpuSeconds])),
      );
    return { tls13: rates('TLSv1.3'), tls12: rates('TLSv1.2'), windowUs: [fromUs, nowUs()] } as const;
  });
  return measured.finally(() => Promise.all(clients.map((process) => process.stop())));
}

interface Sum {
  count: number;
  cpuSeconds: number;
}
