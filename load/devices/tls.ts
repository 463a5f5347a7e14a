// Opens connections of devices over TLS. Certificates are parsed once for each target, not for each connection.
import type { Socket, TcpSocketConnectOpts } from 'node:net';
import { type ConnectionOptions, connect, createSecureContext, type SecureContext } from 'node:tls';
import type { TlsTarget } from '../plan.ts';

const contexts = new WeakMap<TlsTarget, SecureContext>();

/** The socket emits `secureConnect` when the server has proved its name. */
export function connectOverTls(tls: TlsTarget, options: TcpSocketConnectOpts & ConnectionOptions): Socket {
  const socket = connect({ ...options, secureContext: contextOf(tls) });
  // Node does not take noDelay from the options of a TLS connection.
  if (options.noDelay === true) socket.once('connect', () => socket.setNoDelay(true));
  return socket;
}

function contextOf(tls: TlsTarget): SecureContext {
  const known = contexts.get(tls);
  if (known !== undefined) return known;
  const context = createSecureContext(tls);
  contexts.set(tls, context);
  return context;
}
