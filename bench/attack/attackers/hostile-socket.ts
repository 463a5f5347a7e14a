// One connection of an attacker. It remembers only the last bytes of the replies, so that ten thousand of them cost little.
import { connect, type Socket } from 'node:net';
import { connectOverTls } from '../../../load/devices/tls.ts';
import type { Target } from '../../../load/plan.ts';

export interface HostileSocketOptions extends Pick<Target, 'port'> {
  /** Undefined: it speaks plain. */
  readonly tls?: Target['tls'] | undefined;
  /**
   * Undefined = the system chooses. With an address, the kernel looks for a free port in a way that takes milliseconds once
   * many are in use.
   */
  readonly localAddress: string | undefined;
  /** False: it never reads. */
  readonly reads: boolean;
}

export interface HostileSocketEvents {
  /** With TLS, after the handshake. */
  connected(): void;
  sent(bytes: number): void;
  /** Called once: the code of the last reply, `closed` without one, or the code of the socket's error. */
  ended(how: string): void;
}

const TAIL_BYTES = 512;

export class HostileSocket {
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
  /** Resolves when it is open, with TLS after the handshake; never if it cannot be opened. */
  readonly opened: Promise<void>;
  readonly #socket: Socket;
  readonly #events: HostileSocketEvents;
  #tail = '';
  #error: string | undefined;

  constructor({ port, tls, localAddress, reads }: HostileSocketOptions, events: HostileSocketEvents) {
    this.#events = events;
    const options = {
      host: '127.0.0.1',
      port,
      noDelay: true,
      ...(localAddress !== undefined && { localAddress }),
    };
    const socket = tls === undefined ? connect(options) : connectOverTls(tls, options);
    this.#socket = socket;
    // Paused before it is connected: afterwards Node would have begun to read.
    if (!reads) socket.pause();
    else
      socket.setEncoding('latin1').on('data', (text: string) => {
        this.#tail = (this.#tail + text).slice(-TAIL_BYTES);
      });
    this.opened = new Promise((resolve) => {
      socket.on(tls === undefined ? 'connect' : 'secureConnect', () => {
        events.connected();
        resolve();
      });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? 'unknown';
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        events.ended(this.#how());
        resolve();
      });
    });
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** True while the socket's buffer is full. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** The last bytes of the replies. */
  get heard(): string {
    return this.#tail;
  }

  write(bytes: Buffer | string): void {
    if (!this.#socket.writable) return;
    this.#events.sent(bytes.length);
    this.#socket.write(bytes);
  }

  /** Resolves when the socket takes bytes again, or is closed. */
  room(): Promise<void> {
    const drained = new Promise<void>((resolve) => this.#socket.once('drain', resolve));
    return Promise.race([drained, this.closed]);
  }

  /** Sends FIN. */
  end(): void {
    this.#socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #how(): string {
    const codes = [...this.#tail.matchAll(/"status":"(?:error|closing)","code":"(\w+)"/g)];
    return codes.at(-1)?.[1] ?? this.#error ?? 'closed';
  }
}
