// How a device's bytes are read: into one buffer that all connections share, and from there into slabs. A stream of
// its own for each connection costs a 64 KiB allocation, an object and a turn of the stream machinery a read.
//
// Node has this as `onread`, for sockets that a program makes itself, not for those that a server accepts. So the
// accepted socket's handle is given to a socket with `onread`. Where a runtime has no handle there, the plain way
// is kept (docs/decisions/0013).
import { Socket } from 'node:net';
import { type Slab, slabs } from './slabs.ts';

/** A read takes that much at most. */
const READ_BYTES = 64 * 1024;
/** What was read and finds no room in the queue waits in memory. Of a device beyond so many it is less. */
const ROOMY_CONNECTIONS = 1024;
const CROWDED_READ_BYTES = 16 * 1024;

/** The part of a socket that Node does not document, and that has been the same since its first versions. */
interface WithHandle {
  _handle: object | null;
}

/** Takes what has arrived. The slab it lies in, if any, has to be held before this returns, or it is gone. */
export type BytesTaker = (bytes: Uint8Array, slab: Slab | undefined) => void;

// Read into and copied from before anything else runs.
const shared = Buffer.allocUnsafeSlow(READ_BYTES);
const sharedWhenCrowded = shared.subarray(0, CROWDED_READ_BYTES);

/**
 * Calls `take` with what arrives, from now on. The answer is the socket to use instead of the one given, which is
 * spent.
 * @param accepted nothing was read from it yet
 * @param others connections that are open besides
 */
export function readDevice(accepted: Socket, take: BytesTaker, others = 0): Socket {
  const handle = (accepted as unknown as WithHandle)._handle;
  if (handle === null || typeof handle !== 'object' || accepted.destroyed) {
    accepted.on('data', (bytes: Uint8Array) => take(bytes, undefined));
    accepted.resume();
    return accepted;
  }
  (accepted as unknown as WithHandle)._handle = null;
  // Without the handle that ends nothing but the object, which would weigh as much again for each connection.
  accepted.destroy();
  const options = {
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: others < ROOMY_CONNECTIONS ? shared : sharedWhenCrowded,
      callback: (length: number) => {
        const { bytes, slab } = slabs.copy(shared, length);
        take(bytes, slab);
        return true;
      },
    },
  };
  const socket = new Socket(options);
  socket.on('error', () => socket.destroy());
  socket.resume();
  return socket;
}
