// The listening socket of a port of devices. The sockets that it accepts inherit its options, which saves five system calls
// for each of them. With several processes it is bound in the first one and inherited by the others, and only they accept.
// So connections in its backlog outlive the crash of a process.
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
  setNoDelay(isOn: boolean): void;
  setKeepAlive(isOn: boolean, idleSeconds: number): void;
  close(): void;
}

type CreateServerHandle = (address: string, port: number, family: number, fd: number) => Handle | number;

export class ListeningHandle {
  readonly address: AddressInfo;
  readonly #handle: Handle;

  /**
   * Rejects with the system's error (EADDRINUSE, EACCES).
   * @param port 0 = any free port
   * @param keepaliveMs idle time after which the kernel probes whether a device is still there, 0 = off
   */
  static async open(host: string, port: number, keepaliveMs = 0): Promise<ListeningHandle> {
    const { address, family } = await lookup(host);
    const { _createServerHandle: create } = net as unknown as { _createServerHandle: CreateServerHandle };
    const handle = create(address, port, family, -1);
    if (typeof handle === 'number') throw listenError(handle, address, port);
    const bound = {};
    // libuv reports EADDRINUSE only now.
    const failure = handle.getsockname(bound);
    if (failure !== 0) {
      handle.close();
      throw listenError(failure, address, port);
    }
    handle.setNoDelay(true);
    if (keepaliveMs > 0) handle.setKeepAlive(true, Math.trunc(keepaliveMs / 1000));
    return new ListeningHandle(handle, bound as AddressInfo);
  }

  private constructor(handle: Handle, address: AddressInfo) {
    this.#handle = handle;
    this.address = address;
  }

  /** For listen() of a server, which closes the handle from then on. */
  get forServer(): object {
    return { _handle: this.#handle };
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
