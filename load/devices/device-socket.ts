// One connection of a device: bytes out, replies in, and whether its socket takes more.
import { createConnection, type Socket } from 'node:net';
import { type Reply, ReplyReader, SlowReads } from './replies.ts';

export interface DeviceSocketOptions {
  readonly host: string;
  readonly port: number;
  /** Undefined: the system chooses. */
  readonly localAddress: string | undefined;
  /** Reads replies slowly until readFast(). */
  readonly slow: boolean;
}

export interface DeviceSocketEvents {
  connected(): void;
  reply(reply: Reply): void;
  /** It was full and takes bytes again. */
  room(): void;
  /** A socket error's code; `closed` follows. */
  failed(code: string): void;
  closed(): void;
}

export class DeviceSocket {
  readonly #socket: Socket;
  readonly #slowReads: SlowReads | undefined;
  #full = false;

  constructor({ host, port, localAddress, slow }: DeviceSocketOptions, events: DeviceSocketEvents) {
    const reader = new ReplyReader((reply) => events.reply(reply));
    this.#slowReads = slow ? new SlowReads(reader) : undefined;
    const socket = createConnection({
      host,
      port,
      // Without Nagle a write is a packet, as from devices that are apart.
      noDelay: true,
      // Answers still come after our FIN.
      allowHalfOpen: true,
      ...(localAddress !== undefined && { localAddress }),
      ...this.#slowReads?.socketOptions,
    });
    this.#socket = socket;
    this.#slowReads?.start(socket);
    if (!slow) socket.setEncoding('utf8').on('data', (text: string) => reader.push(text));
    socket.on('connect', () => events.connected());
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

  /** More than this is kept in memory: who writes waits for `room`. */
  get full(): boolean {
    return this.#full;
  }

  /** The bytes must stay unchanged. */
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
