// One device of the load: connects, identifies, writes, and watches that the server only says what it should.
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

const IDENTIFY_TIMEOUT_MS = 10_000;

interface Reply {
  readonly status: string;
  readonly seq?: number;
}

export interface DeviceEvents {
  /** Its socket takes bytes again. */
  drained(): void;
  /** The server called everything up to `device.stored` stored, which was `before`. */
  stored(device: Device, before: number): void;
  /** The server refused something or went away. */
  failed(error: Error): void;
}

export class Device {
  /** The next `seq`, and with it one more than the last that was sent. */
  nextSeq: number;
  /** The highest `seq` that the server called stored; before the first, one below it. */
  stored: number;
  /** True while the socket is full: who writes waits for `drained`. */
  blocked = false;
  readonly #socket: Socket;
  readonly #events: DeviceEvents;
  #partial = '';
  #identified: (() => void) | undefined;

  /** @param localAddress of 127.0.0.0/8 */
  constructor(
    { port, localAddress }: { port: number; localAddress: string },
    firstSeq: number,
    events: DeviceEvents,
  ) {
    this.#events = events;
    this.nextSeq = firstSeq;
    this.stored = firstSeq - 1;
    // Without Nagle a write is a packet, as from devices that are apart.
    this.#socket = createConnection({ port, host: '127.0.0.1', localAddress, noDelay: true });
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text: string) => this.#read(text));
    this.#socket.on('drain', () => {
      this.blocked = false;
      events.drained();
    });
    this.#socket.on('error', (error) => events.failed(error));
    this.#socket.on('close', () => events.failed(new Error('the server closed a connection')));
  }

  /** Lines with a `seq` that are not stored yet. */
  get unconfirmed(): number {
    return this.nextSeq - 1 - this.stored;
  }

  async connected(): Promise<void> {
    if (this.#socket.connecting) await once(this.#socket, 'connect');
  }

  /** Resolves once the server knows this device; rejects where it does not within 10 s. */
  async identify(zipcode: string): Promise<void> {
    await this.connected();
    const identified = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('identify got no answer')), IDENTIFY_TIMEOUT_MS);
      this.#identified = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.write(`${JSON.stringify({ type: 'identify', zipcode, city: 'Benchfield' })}\n`);
    await identified;
  }

  /** The bytes must stay unchanged until they are sent. */
  write(bytes: Uint8Array | string): void {
    this.blocked = !this.#socket.write(bytes);
  }

  #read(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      if (reply.status === 'stored') this.#stored(reply.seq ?? this.stored);
      else if (reply.status === 'identified') this.#identified?.();
      else this.#events.failed(new Error(`the server answered ${line}`));
    }
  }

  #stored(seq: number): void {
    const before = this.stored;
    this.stored = seq;
    this.#events.stored(this, before);
  }
}
