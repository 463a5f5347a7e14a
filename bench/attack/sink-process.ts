// The process of the sink: a TCP server that accepts everything, reads it and does nothing with it. Beside it good devices
// only suffer from the CPU that the attackers use, who share the machine with the gateway.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { serveCalls } from '../../load/processes/child.ts';

export interface SinkCalls {
  /** Resolves with its port. */
  listen(args: null): Promise<number>;
}

const BACKLOG = 4_096;

serveCalls<SinkCalls>({
  async listen() {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
    });
    server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
});
