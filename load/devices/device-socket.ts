// One connection of a device: sends bytes, reads replies, and says whether the socket is full. Knows no schedule.
import { createConnection, type Socket } from 'node:net';
import type { Target } from '../plan.ts';
import { type Reply, ReplyReader, SlowReads } from './replies.ts';
import { connectOverTls } from './tls.ts';

export interface DeviceSocketOptions extends Target {
  /** Undefined = the system chooses. */
  readonly localAddress: string | undefined;
  /** Reads replies slowly until readFast(). */
  readonly slow: boolean;
}

export interface DeviceSocketEvents {
  /** With TLS, after the handshake. */
  connected(): void;
  reply(reply: Reply): void;
  /** The socket was full and takes bytes again. */
  room(): void;
  /** The code of a socket error. `closed` follows. */
  failed(code: string): void;
  closed(): void;
}

export class DeviceSocket {
  readonly #socket: Socket;
  readonly #slowReads: SlowReads | undefined;
  #full = false;

  constructor({ host, port, tls, localAddress, slow }: DeviceSocketOptions, events: DeviceSocketEvents) {
    const reader = new ReplyReader((reply) => events.reply(reply));
    this.#slowReads = slow ? new SlowReads(reader) : undefined;
    const options = {
      host,
      port,
      // Without Nagle's algorithm a write is a packet, as it is from separate devices.
      noDelay: true,
      // The last replies come after our FIN.
      allowHalfOpen: true,
      ...(localAddress !== undefined && { localAddress }),
      ...this.#slowReads?.socketOptions,
    };
    const socket = tls === undefined ? createConnection(options) : connectOverTls(tls, options);
    this.#socket = socket;
    this.#slowReads?.start(socket);
    if (!slow) socket.setEncoding('utf8').on('data', (text: string) => reader.push(text));
    socket.on(tls === undefined ? 'connect' : 'secureConnect', () => events.connected());
    socket.on('drain', () => {
      this.#full = false;
      events.room();
    });
    socket.on('end', () => socket.end());
    socket.on('error', (error: NodeJS.ErrnoException) => events.failed(error.code ?? 'unknown'));
    socket.on('close', () => {
      this.#slowReads?.stop();
      events.closed();
    });
  }

  /** True while the socket's buffer is full. The writer waits for `room`. */
  get full(): boolean {
    return this.#full;
  }

  /** The bytes must stay unchanged until they are sent. */
  write(bytes: Uint8Array | string): void {
    this.#full = !this.#socket.write(bytes);
  }

  readFast(): void {
    this.#slowReads?.stop();
  }

  /** Sends FIN; replies are still read. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
