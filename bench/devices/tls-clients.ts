// The process of clients that speak TLS to any server: they do full handshakes one after the other, or keep connections.
import { connect, createSecureContext, type SecureVersion, type TLSSocket } from 'node:tls';
import { serveCalls } from '../../load/processes/child.ts';

export interface HandshakeOptions {
  readonly port: number;
  /** The certificate of the server, PEM. */
  readonly ca: string;
  readonly version: SecureVersion;
}

export interface TlsClientCalls {
  /** Full handshakes for so long. Resolves with their number. Rejects with the first failure. */
  handshakes(options: HandshakeOptions & { readonly seconds: number }): Promise<number>;
  /** Opens connections that stay. */
  keep(options: HandshakeOptions & { readonly count: number }): Promise<void>;
  /** Each kept connection writes this text. */
  write(text: string): void;
}

/** Enough to keep a server busy, and below the handshakes that a gateway does at once. */
const AT_ONCE = 32;
const TIMEOUT_MS = 20_000;

const kept: TLSSocket[] = [];

serveCalls<TlsClientCalls>({
  async handshakes({ seconds, ...options }) {
    const shake = handshaker(options);
    const endMs = performance.now() + seconds * 1000;
    let done = 0;
    const one = async (): Promise<void> => {
      while (performance.now() < endMs) {
        await closed(await shake());
        done++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    return done;
  },

  async keep({ count, ...options }) {
    const shake = handshaker(options);
    let left = count;
    const one = async (): Promise<void> => {
      while (left-- > 0) kept.push(await shake());
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  },

  write(text) {
    for (const socket of kept) socket.write(text);
  },
});

/** Each call opens a connection, without a ticket of an earlier one. */
function handshaker({ port, ca, version }: HandshakeOptions): () => Promise<TLSSocket> {
  const secureContext = createSecureContext({ ca, minVersion: version, maxVersion: version });
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, secureContext });
      const timer = setTimeout(() => socket.destroy(new Error('no handshake in time')), TIMEOUT_MS);
      let [isSecure, hasTicket] = [false, false];
      const settle = (): void => {
        if (!isSecure || !hasTicket) return;
        clearTimeout(timer);
        resolve(socket);
      };
      socket.on('secureConnect', () => {
        isSecure = true;
        settle();
      });
      // With TLS 1.3 only the ticket shows that the server has read the last message of the handshake.
      socket.once('session', () => {
        hasTicket = true;
        settle();
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the server closed a connection')));
      socket.resume();
    });
}

function closed(socket: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('close', () => resolve());
    socket.end();
  });
}
