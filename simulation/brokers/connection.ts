// One connection at a simulated broker. As in Kafka it handles one request at a time, answers it, and only then reads the
// next; after an answer that throttles it reads nothing for so long.
import { API, answerTo, isKnown, type Reply, type Request } from './apis.ts';
import type { BrokerNode } from './broker-node.ts';
import { Login } from './logins.ts';
import { type BrokerSocket, reset } from './socket.ts';
import { Reader, Writer } from './wire.ts';

const SIZE_BYTES = 4;
/** A round trip over the slowest link, and a little more. */
const ON_THEIR_WAY_MS = 1_600;
/** Kafka keeps the answer to a failed login back for so long (connection.failed.authentication.delay.ms). */
const FAILED_LOGIN_MS = 100;
/** Requests that may come before the login. */
const FREE: readonly number[] = [API.apiVersions, API.saslHandshake, API.saslAuthenticate];

export class BrokerConnection {
  readonly login: Login;
  readonly #node: BrokerNode;
  readonly #socket: BrokerSocket;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isBusy = false;
  #isHeld = false;
  #isEnded = false;
  /** The client sends nothing more. What it sent is still handled, as Kafka does. */
  #isOver = false;
  #lastUsedMs: number;

  constructor(node: BrokerNode, socket: BrokerSocket) {
    this.#node = node;
    this.#socket = socket;
    const { clock, logins, maxIdleMs } = node.context;
    this.login = new Login(logins, () => clock.random());
    this.#lastUsedMs = clock.nowMs();
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      this.#next();
    });
    socket.on('error', () => undefined);
    socket.on('end', () => {
      this.#isOver = true;
      this.#next();
    });
    socket.on('close', () => {
      this.#isEnded = true;
    });
    this.#endIfIdle(maxIdleMs);
  }

  /** Reads and answers nothing, as a process that is stopped. */
  hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
  }

  release(): void {
    this.#isHeld = false;
    this.#next();
  }

  end(isReset: boolean): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#chunks = [];
    if (isReset) reset(this.#socket);
    else this.#socket.destroy();
  }

  #next(): void {
    if (this.#isEnded || this.#isHeld) return;
    if (this.#isBusy) {
      this.#socket.pause();
      return;
    }
    const size = this.#sizeOfNext();
    if (size === undefined || this.#bytes < SIZE_BYTES + size) {
      if (this.#isOver) this.end(false);
      else this.#socket.resume();
      return;
    }
    const whole = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const frame = whole.subarray(SIZE_BYTES, SIZE_BYTES + size);
    this.#chunks = [whole.subarray(SIZE_BYTES + size)];
    this.#bytes = whole.length - SIZE_BYTES - size;
    this.#isBusy = true;
    this.#socket.pause();
    const delayMs = this.#node.context.serviceMs();
    if (delayMs > 0) this.#node.after(delayMs, () => this.#handle(frame));
    else this.#handle(frame);
  }

  #sizeOfNext(): number | undefined {
    if (this.#bytes < SIZE_BYTES) return undefined;
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (first.length < SIZE_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    const size = (this.#chunks[0] as Buffer).readInt32BE(0);
    if (size >= 0 && size <= this.#node.context.maxRequestBytes) return size;
    this.end(false);
    return undefined;
  }

  #handle(frame: Buffer): void {
    if (this.#isEnded) return;
    const now = this.#node.context.clock.nowMs();
    this.#lastUsedMs = now;
    let request: Request;
    try {
      request = requestOf(frame);
      const isFree = FREE.includes(request.apiKey);
      // Kafka closes the connection of a client that it does not understand, or that has not logged in.
      if (!isKnown(request)) throw new RangeError('a request that it does not know');
      if (!isFree && !this.login.mayAsk(now)) throw new RangeError('no login, or one that has ended');
      answerTo(request, { node: this.#node, login: this.login }, (reply) => this.#reply(request, reply));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#note(`closes a connection: ${error.message}`);
      this.end(false);
    }
  }

  #reply({ correlationId }: Request, { body, mutedMs = 0, closes }: Reply): void {
    if (this.#isEnded) return;
    const write = () => {
      if (body !== undefined && !this.#isEnded)
        this.#socket.write(
          new Writer()
            .int32(4 + body.length)
            .int32(correlationId)
            .raw(body).buffer,
        );
    };
    if (closes === true) {
      this.#node.after(body === undefined ? 0 : FAILED_LOGIN_MS, () => {
        write();
        if (!this.#isEnded) this.#socket.end();
      });
      return;
    }
    write();
    if (mutedMs > 0) this.#mute(mutedMs);
    else this.#ready();
  }

  /** Requests that were on their way when the answer was, have come by half of the time, or by ON_THEIR_WAY_MS. */
  #mute(mutedMs: number): void {
    const { counts } = this.#node.context;
    this.#note(`reads nothing from a connection for ${Math.ceil(mutedMs)} ms`);
    counts.mutedMs += mutedMs;
    const fromMs = Math.min(mutedMs, Math.max(mutedMs / 2, ON_THEIR_WAY_MS));
    this.#node.after(fromMs, () => {
      const before = this.#socket.readableLength;
      this.#node.after(mutedMs - fromMs, () => {
        if (this.#socket.readableLength > before) counts.sentWhileMuted++;
        this.#ready();
      });
    });
  }

  #note(words: string): void {
    this.#node.context.note(`broker ${this.#node.id} ${words}`);
  }

  #ready(): void {
    this.#isBusy = false;
    this.#next();
  }

  #endIfIdle(maxIdleMs: number): void {
    const { clock } = this.#node.context;
    const leftMs = this.#lastUsedMs + maxIdleMs - clock.nowMs();
    const cancel = this.#node.after(Math.max(1, leftMs), () => {
      if (this.#isEnded) return;
      if (!this.#isBusy && clock.nowMs() - this.#lastUsedMs >= maxIdleMs) this.end(false);
      else this.#endIfIdle(maxIdleMs);
    });
    this.#socket.once('close', cancel);
  }
}

function requestOf(frame: Buffer): Request {
  const head = new Reader(frame);
  const [apiKey, version, correlationId] = [head.int16(), head.int16(), head.int32()];
  head.nullableString();
  return {
    apiKey,
    version,
    correlationId,
    bytes: frame.length,
    body: frame.subarray(frame.length - head.left),
  };
}
