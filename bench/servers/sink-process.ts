// The process of a server that accepts everything, reads it and does nothing with it, plain or over TLS: a bare Node server
// to compare with, and the sink beside which good devices only suffer from the CPU that attackers use.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { serveCalls } from '../../load/processes/child.ts';
import type { Certificate } from '../../scripts/lib/certificate.ts';

export interface SinkCalls {
  /** Resolves with its port. @param certificate null: plain */
  listen(certificate: Pick<Certificate, 'cert' | 'key'> | null): Promise<number>;
}

const BACKLOG = 4_096;

serveCalls<SinkCalls>({
  async listen(certificate) {
    const server = certificate === null ? createServer(discard) : createTlsServer(certificate, discard);
    server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
});

function discard(socket: Socket): void {
  socket.on('error', () => {});
  socket.resume();
}
