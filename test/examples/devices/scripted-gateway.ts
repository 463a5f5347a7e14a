// A gateway that says what a test tells it to, so that a device meets replies that a real gateway gives seldom.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { type Pem, pemOf } from '../../support/authority.ts';
import { waitFor } from '../../support/wait.ts';
import { reset } from './cutting-proxy.ts';

const PATIENCE_MS = 100;

export interface Line {
  readonly type: string;
  readonly seq?: number;
  readonly data?: { readonly n: number };
  readonly [field: string]: unknown;
}

/** One connection of the device. */
export class Visit {
  /** On the clock of performance.now(). */
  readonly cameAtMs = performance.now();
  endedAtMs: number | undefined;
  readonly lines: Line[] = [];
  readonly lineAtMs: number[] = [];
  /** All that came. */
  text = '';
  readonly #socket: Socket;
  #rest = '';
  #read = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.endedAtMs ??= performance.now();
    });
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      // The random bytes of a handshake that nobody expects here may have LF and a brace.
      for (const line of lines.filter((one) => one.startsWith('{"'))) {
        this.lines.push(JSON.parse(line) as Line);
        this.lineAtMs.push(performance.now());
      }
    });
  }

  get isOpen(): boolean {
    return this.endedAtMs === undefined;
  }

  /** The next line of this type. */
  async line(type: string): Promise<Line> {
    return await waitFor(`a line of type ${type}`, () => {
      while (this.#read < this.lines.length) {
        const line = this.lines[this.#read++];
        if (line?.type === type) return line;
      }
      return undefined;
    });
  }

  async message(seq: number): Promise<Line> {
    for (;;) {
      const line = await this.line('metrics');
      if (line.seq === seq) return line;
    }
  }

  /** Waits for `identify` and answers it. */
  async identified(fields: object = {}): Promise<Line> {
    const line = await this.line('identify');
    this.say({ type: 'ack', status: 'identified', connection_id: 'scripted', ...fields });
    return line;
  }

  say(reply: object): void {
    this.raw(`${JSON.stringify(reply)}\n`);
  }

  stored(seq: number): void {
    this.say({ type: 'ack', status: 'stored', seq });
  }

  error(code: string, fields: object = {}): void {
    this.say({ type: 'ack', status: 'error', code, message: `scripted ${code}`, ...fields });
  }

  raw(text: string): void {
    this.#socket.write(text);
  }

  /** FIN, and as from a gateway the end of all soon after: nc notices only when it writes. */
  async end(): Promise<void> {
    this.endedAtMs = performance.now();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), PATIENCE_MS);
    await waitFor('the device ends its side', () => this.#socket.closed);
  }

  reset(): void {
    this.endedAtMs = performance.now();
    reset(this.#socket);
  }
}

export class ScriptedGateway {
  readonly visits: Visit[] = [];
  /** When it was connected to, also if no handshake of TLS followed. */
  readonly attempts: number[] = [];
  #taken = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(pem?: Pem) {
    const onVisit = (socket: Socket) => this.visits.push(new Visit(socket));
    this.#server = pem ? createTlsServer(pem, onVisit) : createServer({ noDelay: true }, onVisit);
    this.#server.on('connection', (socket: Socket) => {
      this.attempts.push(performance.now());
      this.#sockets.add(socket);
      socket.on('error', () => {});
    });
  }

  static async listen(
    t: TestContext,
    { identity, host = '127.0.0.1' }: { identity?: { cert: string; key: string }; host?: string } = {},
  ): Promise<ScriptedGateway> {
    const gateway = new ScriptedGateway(identity && pemOf(identity));
    gateway.#server.on('tlsClientError', () => {});
    gateway.#server.listen(0, host);
    await once(gateway.#server, 'listening');
    t.after(() => {
      gateway.#server.close();
      for (const socket of gateway.#sockets) socket.destroy();
    });
    return gateway;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next connection of the device. */
  async visit(): Promise<Visit> {
    const number = this.#taken++;
    return await waitFor('the device connects', () => this.visits[number]);
  }
}
