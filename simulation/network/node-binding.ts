// The internals through which a handle talks to Node's own net.Socket. So the stream, its events and their order are those
// of Node itself, and only the layers below (libuv and the kernel) is simulated. Node does not document them; the test
// test/simulation/sockets.test.ts holds the simulated sockets to real ones.

interface StreamWrap {
  readonly kReadBytesOrError: number;
  readonly kArrayBufferOffset: number;
  readonly kBytesWritten: number;
  readonly kLastWriteWasAsync: number;
  /** Read by Node as soon as a handle has called it, or was called by it. */
  readonly streamBaseState: Int32Array;
}

interface TcpWrap {
  readonly TCP: { readonly prototype: object };
}

const { binding } = process as unknown as { binding(name: string): unknown };
const stream = binding('stream_wrap') as StreamWrap;

/** Node takes only instances of it for TCP. */
export const NativeTcp = (binding('tcp_wrap') as TcpWrap).TCP;

/** Says how many bytes `onread` is about to get, or the number of an error. */
export function tellRead(bytesOrError: number): void {
  stream.streamBaseState[stream.kReadBytesOrError] = bytesOrError;
  stream.streamBaseState[stream.kArrayBufferOffset] = 0;
}

/** Says how a write went that Node has just asked for. */
export function tellWritten(bytes: number, isAsync: boolean): void {
  stream.streamBaseState[stream.kBytesWritten] = bytes;
  stream.streamBaseState[stream.kLastWriteWasAsync] = isAsync ? 1 : 0;
}
