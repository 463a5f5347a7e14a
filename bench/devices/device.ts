// One device of the bench: connects, identifies and writes. Any reply that the bench does not expect is a failure.
import { DeviceSocket } from '../../load/devices/device-socket.ts';
import type { Reply } from '../../load/devices/replies.ts';
import type { Target } from '../../load/plan.ts';

const IDENTIFY_TIMEOUT_MS = 10_000;

export interface Connecting extends Pick<Target, 'port' | 'tls'> {
  /** Of 127.0.0.0/8. */
  readonly localAddress: string;
}

export interface DeviceEvents {
  /** The socket takes bytes again. */
  drained(): void;
  /** The server stored everything up to `device.stored`, which was `before`. */
  stored(device: Device, before: number): void;
  /** The server refused a line or closed the connection. */
  failed(error: Error): void;
}

export class Device {
  /** The `seq` of the next line. */
  nextSeq: number;
  /** The highest `seq` that the server stored; one below the first before that. */
  stored: number;
  /** Resolves once the socket is open. */
  readonly connected: Promise<void>;
  readonly #socket: DeviceSocket;
  readonly #events: DeviceEvents;
  #identified = (): void => {};

  constructor({ port, localAddress, tls }: Connecting, firstSeq: number, events: DeviceEvents) {
    this.#events = events;
    this.nextSeq = firstSeq;
    this.stored = firstSeq - 1;
    let connected = (): void => {};
    this.connected = new Promise((resolve) => {
      connected = resolve;
    });
    this.#socket = new DeviceSocket(
      { host: '127.0.0.1', port, ...(tls && { tls }), localAddress, slow: false },
      {
        connected: () => connected(),
        reply: (reply) => this.#onReply(reply),
        room: () => events.drained(),
        failed: (code) => events.failed(new Error(`a connection failed (${code})`)),
        closed: () => events.failed(new Error('the server closed a connection')),
      },
    );
  }

  /** True while the socket is full. The writer waits for `drained`. */
  get blocked(): boolean {
    return this.#socket.full;
  }

  /** Lines with a `seq` that are not stored yet. */
  get unconfirmed(): number {
    return this.nextSeq - 1 - this.stored;
  }

  /** Resolves once the server knows this device. Rejects after 10 s. */
  async identify(zipcode: string): Promise<void> {
    await this.connected;
    const identified = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('identify got no reply')), IDENTIFY_TIMEOUT_MS);
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
    this.#socket.write(bytes);
  }

  #onReply(reply: Reply): void {
    if (reply.status === 'identified') this.#identified();
    else if (reply.status !== 'stored')
      this.#events.failed(new Error(`the server answered ${JSON.stringify(reply)}`));
    else {
      const before = this.stored;
      this.stored = reply.seq ?? before;
      this.#events.stored(this, before);
    }
  }
}
