// The listening socket that several processes share. It is bound here and inherited by them; only they accept. So
// connections in its backlog outlive the crash of a process.
import { lookup } from 'node:dns/promises';
import net, { type AddressInfo } from 'node:net';
import { getSystemErrorName } from 'node:util';

/**
 * Descriptors that a server process inherits behind stdin, stdout, stderr and the channel. libuv accepts one connection a
 * turn of the event loop and handle, so the socket is passed on several times. Each of them costs an idle process one
 * failed accept() for each connection.
 */
export const INHERITED = { firstFd: 4, copies: 4 } as const;

/** As node:cluster opens it. Node does not document it, but cluster has used it since its first versions. */
interface Handle {
  readonly fd: number;
  /** 0, or the negative number of an error. */
  getsockname(out: object): number;
  close(): void;
}

type CreateServerHandle = (address: string, port: number, family: number, fd: number) => Handle | number;

export class ListeningHandle {
  readonly address: AddressInfo;
  readonly #handle: Handle;

  /** Rejects with the system's error (EADDRINUSE, EACCES). @param port 0 = any free port */
  static async open(host: string, port: number): Promise<ListeningHandle> {
    const { address, family } = await lookup(host);
    const { _createServerHandle: create } = net as unknown as { _createServerHandle: CreateServerHandle };
    const handle = create(address, port, family, -1);
    if (typeof handle === 'number') throw listenError(handle, address, port);
    const bound = {};
    // libuv reports EADDRINUSE only now.
    const failure = handle.getsockname(bound);
    if (failure === 0) return new ListeningHandle(handle, bound as AddressInfo);
    handle.close();
    throw listenError(failure, address, port);
  }

  private constructor(handle: Handle, address: AddressInfo) {
    this.#handle = handle;
    this.address = address;
  }

  /** For the `stdio` of a process, which inherits the descriptors of INHERITED. */
  get stdio(): number[] {
    return Array<number>(INHERITED.copies).fill(this.#handle.fd);
  }

  close(): void {
    this.#handle.close();
  }
}

function listenError(failure: number, address: string, port: number): Error {
  const code = getSystemErrorName(failure);
  return Object.assign(new Error(`listen ${code} ${address}:${port}`), { code, address, port });
}
