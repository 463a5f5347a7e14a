// A socket as a simulated broker serves it: of the simulated network, or a real one.
import type { Duplex } from 'node:stream';

export interface BrokerSocket extends Duplex {
  /** Ends the connection with a reset. Without it the broker destroys the socket. */
  resetAndDestroy?(): unknown;
}

export function reset(socket: BrokerSocket): void {
  if (socket.resetAndDestroy !== undefined) socket.resetAndDestroy();
  else socket.destroy();
}
