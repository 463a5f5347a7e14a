// A device as a raw TCP peer. It sends exactly the bytes that a test gives it, and never closes unless asked.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { tlsForm } from './form.ts';
import { waitFor } from './wait.ts';

export const IDENTIFY = '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\n';

/** Messages with the seqs from 0, and one reading each. */
export const readings = (count: number): object[] =>
  Array.from({ length: count }, (_, seq) => ({ type: 'metrics', seq, data: { a: 1 } }));

export interface DeviceOptions {
  /** 127.0.0.1 if absent. */
  readonly host?: string;
  /** Source address, such as 127.0.0.2. */
  readonly localAddress?: string;
  /** False = replies stay unread until resume(). */
  readonly reads?: boolean;
  /** Connects with TLS. The certificate of the server is not checked unless this says so. */
  readonly tls?: TlsOptions | undefined;
}

/** A parsed reply. */
export interface Reply {
  readonly type: string;
  readonly status: string;
  readonly code?: string;
  readonly message?: string;
  readonly seq?: number;
  readonly connection_id?: string;
  readonly reconnect_after_ms?: number;
}

export class Device {
  readonly socket: Socket;
  /** Beneath TLS. */
  readonly #raw: Socket | undefined;
  readonly #lines: string[] = [];
  #rest = '';
  #ended = false;
  #error: Error | undefined;

  static async connect(port: number, options: DeviceOptions = {}): Promise<Device> {
    const { host = '127.0.0.1', localAddress, reads = true, tls = tlsForm() && {} } = options;
    const where = {
      port,
      host,
      allowHalfOpen: true,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    };
    const raw = tls?.socket === undefined ? connect(where) : undefined;
    if (tls === undefined && raw !== undefined) {
      const device = new Device(raw, raw, reads);
      await once(raw, 'connect');
      return device;
    }
    // Sessions are resumed only with the host that they are of.
    const socket = connectTls({ ...where, rejectUnauthorized: false, socket: raw, ...tls } as TlsOptions);
    const device = new Device(socket, raw, reads);
    await once(socket, 'secureConnect');
    return device;
  }

  /** Connects, identifies and reads the ack. */
  static async identified(port: number, options: DeviceOptions = {}): Promise<Device> {
    const device = await Device.connect(port, options);
    device.send(IDENTIFY);
    if (options.reads !== false) await device.readLine();
    return device;
  }

  private constructor(socket: Socket, raw: Socket | undefined, reads: boolean) {
    this.socket = socket;
    this.#raw = raw;
    socket.on('error', (error) => {
      this.#error = error;
    });
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.#ended = true;
      });
    if (reads) this.resume();
  }

  /** The error that ended the connection, such as ECONNRESET. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** The server's FIN came, or the connection is gone. */
  get ended(): boolean {
    return this.#ended;
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
  async readLine(): Promise<string> {
    await waitFor('a reply', () => this.#lines.length > 0 || this.ended);
    const line = this.#lines.shift();
    if (line === undefined) throw new Error(`the connection ended without a reply (${this.#error ?? 'FIN'})`);
    return line;
  }

  async read(): Promise<Reply> {
    return JSON.parse(await this.readLine()) as Reply;
  }

  /** All replies until the server's FIN or the end of the connection. */
  async rest(): Promise<string[]> {
    await waitFor('the end of the connection', () => this.ended);
    return this.#lines.splice(0);
  }

  /** The codes of all replies until the end; the `status` of a reply without a code. */
  async restCodes(): Promise<string[]> {
    return (await this.rest()).map((line) => {
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
    this.#raw?.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines.push(...lines);
  }
}
