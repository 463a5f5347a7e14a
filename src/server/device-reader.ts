// Reads the bytes of devices into one buffer that all connections share, and copies them into slabs. A stream for each
// connection would cost a 64 KiB allocation, an object and a turn of the stream machinery for each read.
//
// Node offers this as `onread`, but not for sockets that a server accepts, and a TLS socket has to keep its handle. So
// `onread` is switched on in the socket itself. A socket that does not offer it is read as a stream
// (docs/decisions/0013, 0083).
import { Socket } from 'node:net';
import { type Slab, slabs } from './slabs.ts';

/** The largest read. */
const READ_BYTES = 64 * 1024;
/** Past 1,024 connections, new devices get a smaller read buffer: bytes that wait for the queue stay in memory. */
const ROOMY_CONNECTIONS = 1024;
const CROWDED_READ_BYTES = 16 * 1024;

/** The handle of a socket. Node does not document it, but has not changed it since its first versions. */
interface WithHandle {
  _handle: { useUserBuffer?(buffer: Uint8Array): void } | null;
}

/** Fields of a socket in which Node keeps the options of `onread`. */
const [BUFFER, CALLBACK] = ['kBuffer', 'kBufferCb'].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
);

/** Takes received bytes. Their slab, if any, must be held before this returns, or later reads overwrite them. */
export type BytesTaker = (bytes: Uint8Array, slab: Slab | undefined) => void;

// One is enough: each read is copied out before anything else runs.
const shared = Buffer.allocUnsafeSlow(READ_BYTES);
const sharedWhenCrowded = shared.subarray(0, CROWDED_READ_BYTES);

/**
 * Calls `take` with the bytes that arrive from now on. A TLS socket also gives those that TLS had already taken in when it
 * was paused.
 * @param socket nothing was read from it
 * @param others number of other open connections
 */
export function readInPlace(socket: Socket, take: BytesTaker, others = 0): void {
  const { _handle: handle } = socket as unknown as WithHandle;
  if (handle?.useUserBuffer === undefined || BUFFER === undefined || CALLBACK === undefined) {
    socket.on('data', (bytes: Uint8Array) => take(bytes, undefined));
    return;
  }
  const buffer = others < ROOMY_CONNECTIONS ? shared : sharedWhenCrowded;
  handle.useUserBuffer(buffer);
  const fields = socket as unknown as Record<symbol, unknown>;
  fields[BUFFER] = buffer;
  fields[CALLBACK] = (length: number) => {
    const { bytes, slab } = slabs.copy(shared, length);
    take(bytes, slab);
    return true;
  };
}
