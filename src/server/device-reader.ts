// Reads the bytes of devices into one buffer that all connections share, and copies them into slabs. A stream for each
// connection would cost a 64 KiB allocation, an object and a turn of the stream machinery for each read.
//
// Node offers this as `onread`, but not for sockets that a server accepts, and a TLS socket has to keep its handle. So
// `onread` is switched on in the socket itself. A socket that does not offer it is read as a stream
// (docs/decisions/0013, 0083).
import { Socket } from 'node:net';
import { recordGatherer } from './record-gatherer.ts';
import { Memory, type Slab, slabs } from './slabs.ts';
import { handleOf } from './socket-handle.ts';

/** The largest read. */
const READ_BYTES = 64 * 1024;
/** Past 1,024 connections, new devices get a smaller read buffer: bytes that wait for the queue stay in memory. */
const ROOMY_CONNECTIONS = 1024;
const CROWDED_READ_BYTES = 8 * 1024;

/** Hears of one socket. */
export interface SocketReader {
  /** If present: a TLS record came. Its bytes follow, perhaps together with those of the next ones. */
  onRecord?(): void;
  /** Bytes were received. Their slab, if any, must be held before this returns, or later reads overwrite them. */
  onBytes(bytes: Uint8Array, slab: Slab | undefined): void;
  onEnd(): void;
  onClose(): void;
}

/** The field of a socket that names its reader. With closures instead, each connection would have four more objects. */
const READER = Symbol('reader');

interface ReadSocket {
  [READER]: SocketReader;
}

/** Fields of a socket in which Node keeps the options of `onread`. */
const [BUFFER, CALLBACK] = ['kBuffer', 'kBufferCb'].map((name) =>
  Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name),
);

// One is enough: Node reads no socket while the bytes of another are handled.
const shared = new Memory(READ_BYTES);
const sharedWhenCrowded = shared.bytes.subarray(0, CROWDED_READ_BYTES);

/**
 * Tells `reader` of the bytes that arrive from now on, and of the end. A TLS socket also gives the bytes that TLS had
 * already taken in when it was paused. An error destroys the socket: without a listener it would end the process.
 * @param socket nothing was read from it
 * @param others number of other open connections
 */
export function readInPlace(socket: Socket, reader: SocketReader, others = 0): void {
  (socket as unknown as ReadSocket)[READER] = reader;
  socket.on('error', destroy);
  socket.on('end', onEnd);
  socket.on('close', onClose);
  const handle = handleOf(socket);
  if (handle?.useUserBuffer === undefined || BUFFER === undefined || CALLBACK === undefined) {
    socket.on('data', onData);
    return;
  }
  const buffer = others < ROOMY_CONNECTIONS ? shared.bytes : sharedWhenCrowded;
  handle.useUserBuffer(buffer);
  const fields = socket as unknown as Record<symbol, unknown>;
  fields[BUFFER] = buffer;
  fields[CALLBACK] = reader.onRecord === undefined ? onRead : onRecord;
}

// Node calls each of these as a method of the socket.

function onRead(this: ReadSocket, length: number): boolean {
  const { bytes, slab } = slabs.copy(shared, length);
  this[READER].onBytes(bytes, slab);
  return true;
}

function onRecord(this: ReadSocket, length: number): boolean {
  recordGatherer.add(this[READER], shared, length);
  return true;
}

function onData(this: ReadSocket, bytes: Uint8Array): void {
  this[READER].onRecord?.();
  this[READER].onBytes(bytes, undefined);
}

function onEnd(this: ReadSocket): void {
  recordGatherer.handOn();
  this[READER].onEnd();
}

function onClose(this: ReadSocket): void {
  this[READER].onClose();
}

function destroy(this: Socket): void {
  this.destroy();
}
