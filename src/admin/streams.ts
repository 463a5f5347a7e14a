// The streams of the admin port: how many there may be, and when one is ended by us. It knows nothing of their texts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Access, OPEN_PASS, type Pass } from './access/access.ts';
import type { Clients } from './http-clients.ts';
import { OutStream } from './out-stream.ts';
import { MAX_STREAMS, type StreamKind, type StreamReply, send, sendStreamHead, text } from './reply.ts';

export interface StreamLimits {
  /** A client that reads nothing for so long is cut off. */
  readonly idleMs: number;
  /** After so long without a text a keep-alive is sent. */
  readonly quietMs: number;
}

interface Wanted {
  readonly reply: StreamReply;
  /** Ends the stream once it is no longer valid. */
  readonly pass: Pass;
}

interface Open extends Wanted {
  readonly out: OutStream;
  readonly isOfOperator: boolean;
}

interface StreamsOptions {
  readonly limits: StreamLimits;
  readonly clients: Clients;
  readonly access: Pick<Access, 'isOfOperator'>;
}

const LOOK_EVERY_MS = 500;

export class Streams {
  readonly #limits: StreamLimits;
  readonly #clients: Clients;
  readonly #access: StreamsOptions['access'];
  readonly #open = new Set<Open>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ limits, clients, access }: StreamsOptions) {
    this.#limits = limits;
    this.#clients = clients;
    this.#access = access;
  }

  async begin(request: IncomingMessage, response: ServerResponse, { reply, pass }: Wanted): Promise<void> {
    const { kind } = reply;
    const isOfOperator =
      pass !== OPEN_PASS || (!this.#hasRoom(kind) && (await this.#access.isOfOperator(request)));
    if (isOfOperator && !this.#hasRoom(kind)) this.#endStranger(kind);
    if (response.destroyed) return;
    if (!this.#hasRoom(kind)) {
      const max = MAX_STREAMS[kind];
      send(request, response, text(503, `${max} of these streams are open, and there may not be more`));
      return;
    }
    sendStreamHead(response, reply);
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const { socket } = request;
    // Its time limit counts from the last byte in either direction, however long a write waits. #look() has a better one.
    socket.setTimeout(0);
    this.#clients.streams(socket);
    const out = new OutStream(response);
    const open = { out, reply, pass, isOfOperator };
    this.#open.add(open);
    out.signal.addEventListener('abort', () => this.#open.delete(open));
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    reply.begin(out);
  }

  /** The gateway stops. */
  end(): void {
    clearInterval(this.#timer);
    for (const { out, reply } of this.#open) out.end(reply.farewell?.('stopping'));
  }

  #hasRoom(kind: StreamKind): boolean {
    return [...this.#open].filter(({ reply }) => reply.kind === kind).length < MAX_STREAMS[kind];
  }

  /** On loopback anybody may hold streams open, and an operator needs one. Whoever loses his may ask again. */
  #endStranger(kind: StreamKind): void {
    const oldest = [...this.#open].find((one) => one.reply.kind === kind && !one.isOfOperator);
    if (oldest === undefined) return;
    this.#open.delete(oldest);
    oldest.out.destroy();
  }

  #look(): void {
    for (const { out, reply, pass } of this.#open) {
      if (out.blockedMs > this.#limits.idleMs) out.destroy();
      else if (!pass.isValid()) out.end(reply.farewell?.('login'));
      else if (out.quietMs > this.#limits.quietMs) out.write(reply.keepAlive);
    }
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
