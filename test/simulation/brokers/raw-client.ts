// A connection that sends any bytes of Kafka's protocol to a broker, right or wrong, and reads the answers. It is no client:
// a script says each field itself.
import { connect, type Socket } from 'node:net';
import { Writer } from '../../../simulation/brokers/wire.ts';

const ANSWER_MS = 10_000;

/** The body of an answer, or that the broker has closed the connection. */
export type Answer = Buffer | 'closed';

export class RawClient {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #next = 0;
  #isClosed = false;
  /** By correlation id. */
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  /** Correlation ids in the order of the answers. */
  readonly answered: number[] = [];

  readonly #clientId: string;

  private constructor(socket: Socket, clientId: string) {
    this.#socket = socket;
    this.#clientId = clientId;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
    socket.on('end', () => this.#closed());
  }

  static connect(port: number, clientId = 'script'): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket, clientId)));
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves with the answer. Rejects if there is none for 10 s. */
  ask(apiKey: number, version: number, body: Buffer): Promise<Answer> {
    const id = this.send(apiKey, version, body);
    if (this.#isClosed) return Promise.resolve('closed');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to request ${apiKey}`)), ANSWER_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  /** Sends a request that gets no answer. @returns its correlation id */
  send(apiKey: number, version: number, body: Buffer): number {
    const id = this.#next++;
    const head = new Writer().int16(apiKey).int16(version).int32(id).string(this.#clientId).buffer;
    this.raw(new Writer().bytes(Buffer.concat([head, body])).buffer);
    return id;
  }

  raw(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Resolves when the broker has closed the connection. Rejects if it has not after 10 s. */
  async untilClosed(): Promise<'closed'> {
    const deadline = performance.now() + ANSWER_MS;
    while (!this.#isClosed) {
      if (performance.now() > deadline) throw new Error('the broker did not close the connection');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return 'closed';
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readInt32BE(0)) {
      const end = 4 + this.#bytes.readInt32BE(0);
      const id = this.#bytes.readInt32BE(4);
      const body = this.#bytes.subarray(8, end);
      this.#bytes = this.#bytes.subarray(end);
      this.answered.push(id);
      this.#waiting.get(id)?.(body);
      this.#waiting.delete(id);
    }
  }

  #closed(): void {
    this.#isClosed = true;
    for (const settle of this.#waiting.values()) settle('closed');
    this.#waiting.clear();
  }
}
