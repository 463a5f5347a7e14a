// The handle of a TCP socket in one process, with the interface and the habits of libuv's, so that Node's own net.Socket runs
// on it: one read of at most 64 KiB in each event, writes that are tried at once and wait if the kernel is full, and
// callbacks that always come in an event of their own. Bytes of a write are kept by reference until the kernel takes them,
// as Node does, so memory that is used again too early shows.
import type { SimProcess } from '../world/sim-process.ts';
import type { Cancel } from '../world/world.ts';
import type { Endpoint, HostPort } from './endpoint.ts';
import { UV } from './errno.ts';
import type { Network } from './network.ts';
import { NativeTcp, tellRead, tellWritten } from './node-binding.ts';

interface Request {
  oncomplete(status: number, ...more: unknown[]): void;
}

interface Write {
  readonly request: Request;
  readonly parts: Uint8Array[];
}

interface Named {
  address?: string;
  port?: number;
  family?: string;
}

const READ_BYTES = 65_536;

export class TcpHandle {
  /** Node's stream notes here whether it asked for bytes. */
  reading = false;
  /** Set by Node: takes the bytes that tellRead() announces. */
  onread: (buffer?: ArrayBuffer) => void = () => {};
  bytesRead = 0;
  bytesWritten = 0;
  readonly fd: number;
  readonly #network: Network;
  readonly #owner: SimProcess;
  #endpoint: Endpoint | undefined;
  /** Shows IPv4 addresses as mapped ones. */
  #isIPv6 = false;
  #bound: HostPort | undefined;
  #connecting: { readonly request: Request; cancel(): void } | undefined;
  #userBuffer: Uint8Array | undefined;
  #isReading = false;
  #isBroken = false;
  readonly #writes: Write[] = [];
  #shutdown: Request | undefined;
  #hasShutDown = false;
  #readTurn: Cancel | undefined;
  #writeTurn: Cancel | undefined;
  #isClosed = false;

  constructor(network: Network) {
    this.#network = network;
    this.#owner = network.world.current;
    this.fd = network.nextFd();
    network.opened(this.#owner, this);
  }

  static accepted(network: Network, endpoint: Endpoint, isIPv6: boolean): TcpHandle {
    const handle = new TcpHandle(network);
    handle.#isIPv6 = isIPv6;
    handle.#attach(endpoint);
    return handle;
  }

  bind(address: string, port: number): number {
    this.#bound = { address, port };
    return this.#network.hosts.at(address, this.#owner) === undefined ? UV.EADDRNOTAVAIL : 0;
  }

  bind6(address: string, port: number): number {
    return this.bind(address, port);
  }

  connect(request: Request, address: string, port: number): number {
    // A dead process still runs the microtasks of its last event.
    if (!this.#owner.alive) return UV.EBADF;
    const target = { process: this.#owner, from: this.#bound, to: { address, port } };
    const cancel = this.#network.connect(target, (result) => {
      // An event of the process, which may stand still. Until then the kernel has the connection.
      if (typeof result !== 'number') this.#endpoint = result;
      this.#later(() => this.#connected(request, result));
    });
    this.#connecting = { request, cancel };
    return 0;
  }

  connect6(request: Request, address: string, port: number): number {
    this.#isIPv6 = true;
    return this.connect(request, address, port);
  }

  readStart(): number {
    if (this.#isClosed) return UV.EINVAL;
    if (this.#endpoint === undefined) return UV.ENOTCONN;
    this.#isReading = !this.#isBroken;
    this.#poll();
    return 0;
  }

  readStop(): number {
    this.#isReading = false;
    return 0;
  }

  useUserBuffer(buffer: Uint8Array): void {
    this.#userBuffer = buffer;
  }

  writeBuffer(request: Request, bytes: Uint8Array): number {
    return this.#write(request, [bytes]);
  }

  /** @param areBuffers otherwise texts and encodings take turns */
  writev(request: Request, chunks: readonly unknown[], areBuffers: boolean): number {
    if (areBuffers) return this.#write(request, [...(chunks as readonly Uint8Array[])]);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < chunks.length; at += 2) {
      const chunk = chunks[at];
      const encoding = chunks[at + 1] as BufferEncoding;
      parts.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : (chunk as Uint8Array));
    }
    return this.#write(request, parts);
  }

  writeUtf8String(request: Request, text: string): number {
    return this.#write(request, [Buffer.from(text)]);
  }

  writeLatin1String(request: Request, text: string): number {
    return this.#write(request, [Buffer.from(text, 'latin1')]);
  }

  writeAsciiString(request: Request, text: string): number {
    return this.#write(request, [Buffer.from(text, 'ascii')]);
  }

  writeUcs2String(request: Request, text: string): number {
    return this.#write(request, [Buffer.from(text, 'utf16le')]);
  }

  shutdown(request: Request): number {
    if (this.#endpoint === undefined || this.#isBroken || this.#hasShutDown) return UV.ENOTCONN;
    this.#shutdown = request;
    this.#hasShutDown = true;
    this.#poll();
    return 0;
  }

  close(closed?: () => void): void {
    this.#close(closed, (endpoint) => endpoint.close());
  }

  /** Closes with a reset. */
  reset(closed?: () => void): number {
    if (this.#hasShutDown && this.#shutdown !== undefined) return UV.EINVAL;
    this.#close(closed, (endpoint) => endpoint.abort());
    return 0;
  }

  /** The kernel closes the descriptors of a process that has ended. */
  ownerDied(): void {
    this.#isClosed = true;
    this.#connecting?.cancel();
    this.#endpoint?.close();
  }

  getpeername(out: Named): number {
    if (this.#endpoint === undefined || this.#endpoint.isDisconnected) return UV.ENOTCONN;
    return this.#name(out, this.#endpoint.peer.local);
  }

  getsockname(out: Named): number {
    const local = this.#endpoint?.local ?? this.#bound;
    return local === undefined ? UV.EBADF : this.#name(out, local);
  }

  setNoDelay(): number {
    return 0;
  }

  /** @param idleSeconds until the first probe */
  setKeepAlive(isOn: boolean, idleSeconds: number): number {
    this.#endpoint?.setKeepAlive(isOn ? idleSeconds * 1000 : undefined);
    return 0;
  }

  ref(): void {}

  unref(): void {}

  hasRef(): boolean {
    return true;
  }

  getAsyncId(): number {
    return this.fd;
  }

  #attach(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
    endpoint.onChange = () => this.#poll();
  }

  #connected(request: Request, result: Endpoint | number): void {
    if (this.#isClosed) return;
    this.#connecting = undefined;
    if (typeof result !== 'number') this.#attach(result);
    request.oncomplete(typeof result === 'number' ? result : 0, this, request, true, true);
  }

  /** Plans the events that are due. */
  #poll(): void {
    const endpoint = this.#endpoint;
    if (endpoint === undefined || this.#isClosed) return;
    if (this.#isReading && this.#readTurn === undefined && endpoint.isReadable)
      this.#readTurn = this.#later(() => this.#read());
    const isAboutToWrite = this.#writes.length > 0 ? endpoint.isWritable : this.#shutdown !== undefined;
    if (isAboutToWrite && this.#writeTurn === undefined) this.#writeTurn = this.#later(() => this.#writeOn());
  }

  #read(): void {
    this.#readTurn = undefined;
    const endpoint = this.#endpoint;
    if (endpoint === undefined || this.#isClosed || !this.#isReading) return;
    const maxBytes = this.#userBuffer?.length ?? READ_BYTES;
    const isHungUp = endpoint.isHungUp;
    const result = endpoint.read(maxBytes);
    if (result === UV.EAGAIN) return;
    if (typeof result === 'number') {
      this.#endOfInput(result);
      return;
    }
    this.bytesRead += result.length;
    this.#userBuffer?.set(result);
    // Old libuv believes that the last bytes were read, and so never sees the error of a reset that came with them.
    if (this.#network.hidesLateResets && isHungUp && result.length < maxBytes)
      this.#readTurn = this.#later(() => this.#endOfInput(UV.EOF));
    tellRead(result.length);
    this.onread(this.#userBuffer === undefined ? (result.buffer as ArrayBuffer) : undefined);
    this.#poll();
  }

  #endOfInput(reason: number): void {
    this.#readTurn = undefined;
    if (this.#isClosed || !this.#isReading) return;
    this.#isReading = false;
    this.#isBroken ||= reason !== UV.EOF;
    tellRead(reason);
    this.onread();
  }

  #write(request: Request, parts: Uint8Array[]): number {
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    const endpoint = this.#endpoint;
    if (endpoint === undefined || this.#isClosed || this.#isBroken || this.#hasShutDown) {
      tellWritten(0, false);
      return this.#isClosed || endpoint === undefined ? UV.EBADF : UV.EPIPE;
    }
    this.bytesWritten += bytes;
    const status = this.#writes.length > 0 ? UV.EAGAIN : writeParts(endpoint, parts);
    const isAsync = status === UV.EAGAIN;
    tellWritten(bytes, isAsync);
    if (!isAsync) return status;
    this.#writes.push({ request, parts });
    this.#poll();
    return 0;
  }

  /** Writes the bytes that the kernel had no room for, and then ends this direction. */
  #writeOn(): void {
    this.#writeTurn = undefined;
    const endpoint = this.#endpoint;
    if (endpoint === undefined || this.#isClosed) return;
    const [write] = this.#writes;
    if (write !== undefined) {
      const status = writeParts(endpoint, write.parts);
      if (status === UV.EAGAIN) return;
      this.#writes.shift();
      write.request.oncomplete(status, this, undefined);
    } else if (this.#shutdown !== undefined) {
      const request = this.#shutdown;
      this.#shutdown = undefined;
      request.oncomplete(endpoint.shutdown(), this, undefined);
    }
    this.#poll();
  }

  #close(closed: (() => void) | undefined, end: (endpoint: Endpoint) => void): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#network.closed(this.#owner, this);
    this.#connecting?.cancel();
    if (this.#endpoint !== undefined) end(this.#endpoint);
    const { request: connecting } = this.#connecting ?? {};
    const cancelled = [connecting, ...this.#writes.map(({ request }) => request), this.#shutdown];
    this.#later(() => {
      for (const request of cancelled) request?.oncomplete(UV.ECANCELED, this, request);
      closed?.();
    });
  }

  #name(out: Named, { address, port }: HostPort): number {
    const isMapped = this.#isIPv6 && !address.includes(':');
    out.address = isMapped ? `::ffff:${address}` : address;
    out.family = this.#isIPv6 ? 'IPv6' : 'IPv4';
    out.port = port;
    return 0;
  }

  #later(work: () => void): Cancel {
    return this.#network.world.after(0, work, this.#owner);
  }
}

// Node asks whether a handle is an instance of its own class before it resets a connection.
Object.setPrototypeOf(TcpHandle.prototype, NativeTcp.prototype);

/** Drops the parts that the kernel took. @returns 0, or the number of EAGAIN or an error */
function writeParts(endpoint: Endpoint, parts: Uint8Array[]): number {
  for (let part = parts[0]; part !== undefined; part = parts[0]) {
    const written = endpoint.write(part);
    if (written < 0) return written;
    if (written < part.length) {
      parts[0] = part.subarray(written);
      return UV.EAGAIN;
    }
    parts.shift();
  }
  return 0;
}
