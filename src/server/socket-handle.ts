// The handle of a socket. Node does not document it, but has not changed it since its first versions.
import type { Socket } from 'node:net';

export interface SocketHandle {
  /** The descriptor. */
  readonly fd?: number;
  /** From now on bytes are read into this buffer. */
  useUserBuffer?(buffer: Uint8Array): void;
}

/** Nothing if the socket is closed, or is not one of the system. */
export function handleOf(socket: Socket): SocketHandle | null | undefined {
  return (socket as unknown as { readonly _handle?: SocketHandle | null })._handle;
}
