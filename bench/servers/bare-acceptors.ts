// A bare Node server of several processes that share a port: it accepts, and tells each device `identified` at its first
// bytes. It shows how fast Node itself takes devices that come at once.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { serveCalls } from '../../load/processes/child.ts';

export interface BareAcceptorCalls {
  /** Resolves with the port. */
  listen(options: { readonly processes: number }): Promise<number>;
}

const BACKLOG = 65_535;
const IDENTIFIED = '{"status":"identified"}\n';

if (cluster.isPrimary)
  serveCalls<BareAcceptorCalls>({
    async listen({ processes }) {
      // Each process accepts, as in the gateway.
      cluster.schedulingPolicy = cluster.SCHED_NONE;
      const workers = Array.from({ length: processes }, () => cluster.fork());
      const [[address]] = (await Promise.all(workers.map((worker) => once(worker, 'listening')))) as [
        [AddressInfo],
        ...unknown[],
      ];
      return address.port;
    },
  });
else createServer({ noDelay: true }, serve).listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG });

function serve(socket: Socket): void {
  socket.on('error', () => {});
  socket.once('data', () => socket.write(IDENTIFIED));
}
