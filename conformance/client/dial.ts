// Connects to the gateway, plain or with TLS. A refused connection is no verdict on a rule.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectOverTls } from 'node:tls';
import type { TlsFiles } from '../options.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
  readonly patienceMs: number;
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** No connection to the gateway: nothing can be checked. */
export class NoConnection extends Error {}

export async function connectPlain(place: Place): Promise<Socket> {
  const { host, port } = place;
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  return ready(socket, place, 'connect');
}

export async function connectTls(place: Place, files: TlsFiles, version?: TlsVersion): Promise<Socket> {
  const { host, port } = place;
  const { ca, cert, key, serverName, isChecked } = files;
  // The types of Node do not know allowHalfOpen here.
  const options = {
    host,
    port,
    allowHalfOpen: true,
    rejectUnauthorized: isChecked,
    ...(version !== undefined && { minVersion: version, maxVersion: version }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  } as ConnectionOptions;
  const socket = connectOverTls(options);
  socket.setNoDelay(true);
  return ready(socket, place, 'secureConnect');
}

async function ready(socket: Socket, { host, port, patienceMs }: Place, event: string): Promise<Socket> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(patienceMs) });
    return socket;
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    const { code, message } = error as { code?: string; message: string };
    const why = code === 'ABORT_ERR' ? `no connection within ${patienceMs / 1000} s` : (code ?? message);
    throw new NoConnection(`${host}:${port}: ${why}`, { cause: error });
  }
}
