// A device as a raw TCP peer. It sends exactly the bytes that a test gives it, and never closes unless asked.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DEADLINE_MS } from './wait.ts';

export const IDENTIFY = '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\n';

/** Messages with the seqs from 0, and one reading each. */
export const readings = (count: number): object[] =>
  Array.from({ length: count }, (_, seq) => ({ type: 'metrics', seq, data: { a: 1 } }));

export interface DeviceOptions {
  /** Source address, such as 127.0.0.2. */
  readonly localAddress?: string;
  /** False = replies stay unread until resume(). */
  readonly reads?: boolean;
}

/** A parsed reply. */
export interface Reply {
  readonly type: string;
  readonly status: string;
  readonly code?: string;
  readonly message?: string;
  readonly seq?: number;
  readonly connection_id?: string;
}

export class Device {
  readonly socket: Socket;
  readonly #lines: string[] = [];
  readonly #waiters = new Set<() => void>();
  #rest = '';
  #ended = false;
  #closed = false;
  #error: Error | undefined;

  static async connect(port: number, options: DeviceOptions = {}): Promise<Device> {
    const { localAddress, reads = true } = options;
    const socket = connect({
      port,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    const device = new Device(socket, reads);
    await once(socket, 'connect');
    return device;
  }

  /** Connects, identifies and reads the ack. */
  static async identified(port: number, options: DeviceOptions = {}): Promise<Device> {
    const device = await Device.connect(port, options);
    device.send(IDENTIFY);
    if (options.reads !== false) await device.readLine();
    return device;
  }

  private constructor(socket: Socket, reads: boolean) {
    this.socket = socket;
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
    if (reads) this.resume();
  }

  /** The error that ended the connection, such as ECONNRESET. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** The server's FIN came, or the connection is gone. */
  get ended(): boolean {
    return this.#ended || this.#closed;
  }

  /** Reads replies from now on. */
  resume(): void {
    this.socket.on('data', (chunk: Buffer) => this.#onData(chunk));
  }

  /** False if the socket's buffer is full. */
  send(data: string | Uint8Array): boolean {
    return this.socket.write(data);
  }

  /** Each object as a line, all in one write. */
  sendMessages(...messages: object[]): void {
    this.send(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  }

  /** The next reply. Rejects at the deadline, and if the connection ends before a reply. */
  async readLine(deadlineMs = DEADLINE_MS): Promise<string> {
    await this.#until(() => this.#lines.length > 0 || this.ended, 'a reply', deadlineMs);
    const line = this.#lines.shift();
    if (line === undefined) throw new Error(`the connection ended without a reply (${this.#error ?? 'FIN'})`);
    return line;
  }

  async read(deadlineMs?: number): Promise<Reply> {
    return JSON.parse(await this.readLine(deadlineMs)) as Reply;
  }

  /** All replies until the server's FIN or the end of the connection. */
  async rest(deadlineMs = DEADLINE_MS): Promise<string[]> {
    await this.#until(() => this.ended, 'the end of the connection', deadlineMs);
    return this.#lines.splice(0);
  }

  /** The codes of all replies until the end; the `status` of a reply without a code. */
  async restCodes(deadlineMs?: number): Promise<string[]> {
    return (await this.rest(deadlineMs)).map((line) => {
      const reply = JSON.parse(line) as Reply;
      return reply.code ?? reply.status;
    });
  }

  /** Sends FIN; replies are still read. */
  halfClose(): void {
    this.socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines.push(...lines);
    this.#wake();
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  async #until(condition: () => boolean, what: string, deadlineMs: number): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(check);
        settle();
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`))),
        deadlineMs,
      );
      const check = () => {
        if (condition()) finish(resolve);
      };
      this.#waiters.add(check);
    });
  }
}
