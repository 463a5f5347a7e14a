// Fresh servers that speak TLS with the same certificate: the gateway, a bare Node server, and HAProxy before a plain one.
import { Child } from '../../load/processes/child.ts';
import { type Certificate, tlsSettings } from '../../scripts/lib/certificate.ts';
import { cpuSecondsOf, residentBytesOf } from '../../scripts/lib/proc.ts';
import { Haproxy } from './haproxy.ts';
import type { BenchOptions } from './loaded-gateways.ts';
import { type OwnGateway, withOwnGateway } from './own-gateway.ts';
import type { SinkCalls } from './sink-process.ts';

export type TlsServerName = 'gateway' | 'bare' | 'haproxy';

export interface TlsServer {
  readonly name: TlsServerName;
  readonly port: number;
  /** User and system time so far. */
  cpuSeconds(): number;
  residentBytes(): number;
}

/** A figure of each server. Without HAProxy on this machine there is none of it. */
export interface OfServers {
  readonly gateway: number;
  readonly bare: number;
  readonly haproxy?: number;
}

export interface TlsOptions extends BenchOptions {
  readonly certificate: Certificate;
}

const SINK = new URL('sink-process.js', import.meta.url);

/** Runs `work` with the servers and ends them. */
export async function withTlsServers<T>(
  options: TlsOptions,
  settings: Readonly<Record<string, string>>,
  work: (servers: readonly TlsServer[], gateway: OwnGateway) => Promise<T>,
): Promise<T> {
  const { bootstrap, certificate, node, profileDir, signal } = options;
  const bare = new Child<SinkCalls>(SINK, { signal, node });
  const plain = new Child<SinkCalls>(SINK, { signal });
  let haproxy: Haproxy | undefined;
  try {
    const port = await bare.call('listen', certificate);
    haproxy = await Haproxy.start({ certificate, target: await plain.call('listen', null) });
    const others = [
      { name: 'bare', port, pid: bare.pid } as const,
      ...(haproxy === undefined ? [] : [{ name: 'haproxy', port: haproxy.port, pid: haproxy.pid } as const]),
    ].map(({ name, port, pid }) => ({
      name,
      port,
      cpuSeconds: () => cpuSecondsOf(pid),
      residentBytes: () => residentBytesOf(pid),
    }));
    const how = { bootstrap, name: 'tls', node, profileDir, signal };
    const all = { ...tlsSettings(certificate), ...settings, ...options.settings };
    return await withOwnGateway({ ...how, settings: all }, (gateway) => {
      const { server } = gateway;
      const ours = {
        name: 'gateway',
        port: server.tlsPort,
        cpuSeconds: () => server.cpuSeconds(),
        residentBytes: () => server.residentBytes(),
      } as const;
      return work([ours, ...others], gateway);
    });
  } finally {
    await Promise.all([bare.stop(), plain.stop(), haproxy?.stop()]);
  }
}

/** @throws Error if a server other than HAProxy has no figure */
export function ofServers(figures: ReadonlyMap<TlsServerName, number>): OfServers {
  const [gateway, bare, haproxy] = [figures.get('gateway'), figures.get('bare'), figures.get('haproxy')];
  if (gateway === undefined || bare === undefined) throw new Error('a server was not measured');
  return { gateway, bare, ...(haproxy !== undefined && { haproxy }) };
}
