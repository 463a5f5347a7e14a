// The scenario `tls`: handshakes and memory beside a bare Node server and HAProxy, and CPU a message beside plain devices.
import { type Certificate, tlsSettings, withCertificate } from '../../scripts/lib/certificate.ts';
import type { BenchOptions } from '../servers/loaded-gateways.ts';
import { measurePair, type PairFigures } from './pair.ts';
import { type Handshakes, measureHandshakes } from './tls-handshakes.ts';
import { measureTlsMemory, type TlsMemory } from './tls-memory.ts';

export interface TlsFigures extends TlsMemory {
  readonly kind: 'tls';
  /** A second and core. */
  readonly handshakes: Omit<Handshakes, 'windowUs'>;
  /** TLS against plain at the same rate, with 50 lines a write. */
  readonly batch: PairFigures;
  /** The same with one line a write. */
  readonly single: PairFigures;
  /** Of the handshakes, on the clock of CPU profiles. */
  readonly windowUs: readonly [from: number, to: number];
}

const BATCH_LINES = 50;
/**
 * TLS costs the devices of the bench more than the server, so at full speed TLS would bring fewer messages a second, and
 * the work that the server does for many messages at once would count more for each.
 */
const PACE = 0.7;

/** Rejects if a handshake fails or a message is lost. */
export function measureTls(options: BenchOptions): Promise<TlsFigures> {
  return withCertificate(async (certificate) => {
    const all = { ...options, certificate };
    const { windowUs, ...handshakes } = await measureHandshakes(all);
    const memory = await measureTlsMemory(all);
    const batch = await againstPlain(options, certificate, BATCH_LINES);
    const single = await againstPlain(options, certificate, 1);
    return { kind: 'tls', handshakes, ...memory, batch, single, windowUs };
  });
}

function againstPlain(options: BenchOptions, certificate: Certificate, linesPerWrite: number) {
  const settings = tlsSettings(certificate);
  const tls = { ca: certificate.cert };
  return measurePair({ ...options, profileDir: undefined, pace: PACE }, [
    { name: 'TLS', settings, tls, linesPerWrite },
    { name: 'plain', settings, linesPerWrite },
  ]);
}
