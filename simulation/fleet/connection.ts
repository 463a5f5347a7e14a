// One connection of a device: what was sent over it, and what the replies say. It notes every reply that no gateway may send.
import type { Socket } from 'node:net';
import { connect } from '../shims/net.ts';
import type { World } from '../world/world.ts';
import type { BadLine } from './bad-lines.ts';
import type { Message } from './message.ts';
import { OrderedAnswers } from './ordered-answers.ts';
import {
  endsConnection,
  isByKafka,
  isRightWait,
  mayRefuse,
  type Reply,
  TOO_MANY_ERRORS,
} from './reply-rules.ts';

export interface ConnectionOptions {
  readonly world: World;
  /** The machine and port of the gateway. */
  readonly to: { readonly host: string; readonly port: number };
  /** The machine of the device. */
  readonly from: string;
  readonly identify: string;
  /** It asks which messages are stored. */
  readonly resumes: boolean;
}

/** How a connection ended, as far as the device knows. */
export interface Ending {
  /** The code of the last error or `closing`. Undefined: without a word. */
  readonly code: string | undefined;
  readonly reconnectAfterMs: number | undefined;
  readonly wasIdentified: boolean;
  /** A message was stored. */
  readonly hadSuccess: boolean;
  /** The gateway ended it in order after the device's own FIN. */
  readonly wasHalfClosed: boolean;
}

export interface ConnectionHost {
  /** @param storedSeq the answer to a connection that resumes, otherwise undefined */
  identified(storedSeq: number | null | undefined): void;
  /** Some message has its answer. */
  answered(): void;
  ended(ending: Ending): void;
  lie(text: string): void;
}

/** A device that reads nothing for 30 s may be closed without a reply, or within one. */
const DEAF_MS = 25_000;
/** Less than a minute: the first one may have been late. */
const LIMITED_EVERY_MS = 50_000;
/** Lines that the gateway refuses before it may close the connection with `too_many_errors`. */
const MAX_REFUSALS = 1_000;
const KEEPALIVE = '{"type":"keepalive"}\n';

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  /** In the order in which they were sent. */
  readonly #sent: Message[] = [];
  /** Those before it have their answer. */
  #answered = 0;
  readonly #ordered = new OrderedAnswers();
  /** Bytes behind a line that is torn. */
  #held: Uint8Array[] | undefined;
  #hasAskedForAll = true;
  #id: string | undefined;
  #rest = '';
  #storedUpTo = -1;
  #code: string | undefined;
  #reconnectAfterMs: number | undefined;
  #isClosed = false;
  #isHalfClosed = false;
  readonly madeAtMs: number;
  #refusals = 0;
  #rateLimitedAtMs = Number.NEGATIVE_INFINITY;
  /** Time in which it did not read, at most. */
  #deafMs = 0;
  #sawEnd = false;
  lastHeardMs: number;

  constructor(options: ConnectionOptions, host: ConnectionHost) {
    this.#options = options;
    this.#host = host;
    const { world, to, from } = options;
    this.lastHeardMs = world.nowMs;
    this.madeAtMs = world.nowMs;
    const { network } = world;
    const socket = connect({
      host: network.addressOf(to.host),
      port: to.port,
      localAddress: network.addressOf(from),
      noDelay: true,
      allowHalfOpen: true,
    });
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk.toString()));
    socket.on('end', () => {
      this.#sawEnd = true;
      socket.end();
    });
    socket.on('close', () => this.#closed());
    socket.write(options.identify);
  }

  /** The `connection_id`, once it was heard. */
  get id(): string | undefined {
    return this.#id;
  }

  /** The highest seq of a `stored`, -1 before the first. */
  get storedUpTo(): number {
    return this.#storedUpTo;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isIdentified(): boolean {
    return this.#id !== undefined && !this.#isClosed;
  }

  get isHalfClosed(): boolean {
    return this.#isHalfClosed;
  }

  /** It takes no further message: a reply says that it ends, or it has ended. */
  get isEnding(): boolean {
    return this.#isClosed || this.#isHalfClosed || this.#code !== undefined;
  }

  send(messages: readonly Message[]): void {
    let lines = '';
    for (const message of messages) {
      if (message.line === undefined) continue;
      lines += message.line;
      if (message.seq === undefined) this.#hasAskedForAll = false;
      this.#sent.push(message);
      if (this.#id === undefined) message.unheard++;
      else message.connections.push(this.#id);
    }
    if (lines !== '') this.#write(Buffer.from(lines));
  }

  /** A line that the gateway has to refuse. */
  sendBad(line: BadLine): void {
    this.#ordered.sent(line);
    this.#write(line.bytes);
  }

  keepAlive(times = 1): void {
    for (let n = 0; n < times; n++) this.#ordered.sent({ answer: 'alive' });
    this.#write(Buffer.from(KEEPALIVE.repeat(times)));
  }

  /** The next bytes stop in the middle, for so long. */
  tear(forMs: number): void {
    if (this.#held !== undefined) return;
    this.#held = [];
    this.#options.world.after(forMs, () => this.#mend());
  }

  /** The first bytes of a line, and then a reset. */
  cutLine(): void {
    this.#mend();
    this.#socket.write('{"type":"metrics","data":{"d":');
    // Nothing may follow within this line.
    this.#held = [];
    this.#options.world.after(1, () => this.#socket.resetAndDestroy());
  }

  /** Every message that was sent gets its answer, and then the gateway ends the connection. */
  halfClose(): void {
    this.#mend();
    this.#isHalfClosed = true;
    this.#socket.end();
  }

  /** Ends at once, with a reset or not. */
  break(resets: boolean): void {
    if (resets) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  stopReading(forMs: number): void {
    this.#deafMs += forMs;
    this.#socket.pause();
    this.#options.world.after(forMs, () => this.#socket.resume());
  }

  /** Without a word to the gateway's other side but the reset. */
  destroy(): void {
    this.#socket.destroy();
  }

  #onData(text: string): void {
    this.lastHeardMs = this.#options.world.nowMs;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      let reply: Reply;
      try {
        reply = JSON.parse(line) as Reply;
      } catch {
        this.#lie(`a reply that is not JSON: ${line}`);
        continue;
      }
      this.#onReply(reply, line);
    }
  }

  #onReply(reply: Reply, line: string): void {
    if (this.#code !== undefined) this.#lie(`a reply behind ${this.#code}, which is the last one: ${line}`);
    const { status, code, seq } = reply;
    if (status === 'error') this.#refusals++;
    if (status === 'identified') this.#onIdentified(reply);
    else if (status === 'stored') this.#onStored(seq);
    else if (status === 'closing') this.#onLast(String(code), reply);
    else if (status === 'error' && seq !== undefined) this.#onRefused(Number(seq), reply, line);
    else if (status === 'error') this.#onError(String(code), reply, line);
    else if (status === 'alive') this.#checked(this.#ordered.heard({ answer: 'alive' }));
    else this.#lie(`an unknown reply: ${line}`);
  }

  #onIdentified({ connection_id: id, stored_seq: storedSeq }: Reply): void {
    if (this.#id !== undefined || typeof id !== 'string') {
      this.#lie(`identified as ${id}, and before as ${this.#id}`);
      return;
    }
    this.#id = id;
    for (const message of this.#sent) {
      message.unheard--;
      message.connections.push(id);
    }
    const isRight = this.#options.resumes
      ? storedSeq === null || (Number.isSafeInteger(storedSeq) && Number(storedSeq) >= 0)
      : storedSeq === undefined;
    if (!isRight) this.#lie(`identified with stored_seq ${storedSeq}`);
    this.#host.identified(typeof storedSeq === 'number' || storedSeq === null ? storedSeq : undefined);
  }

  #onStored(seq: unknown): void {
    const upTo = typeof seq === 'number' ? seq : Number.NaN;
    if (!(upTo > this.#storedUpTo)) this.#lie(`stored ${seq} after stored ${this.#storedUpTo}`);
    const last = this.#sent.find((message) => message.seq === upTo);
    if (last === undefined) this.#lie(`stored ${seq}, which was not sent here`);
    else if (last.isRefusedOver(this.#id)) this.#lie(`stored ${upTo}, which was refused here: ${last.code}`);
    this.#checked(this.#ordered.stored(upTo));
    this.#storedUpTo = upTo;
    while (this.#answered < this.#sent.length) {
      const message = this.#sent[this.#answered];
      if (message?.seq !== undefined && message.seq > upTo) break;
      message?.stored();
      this.#answered++;
    }
    this.#host.answered();
  }

  #onRefused(seq: number, { code: told, message: words }: Reply, line: string): void {
    const code = String(told);
    if (this.#ordered.isDue({ answer: code, seq })) {
      this.#checked(this.#ordered.heard({ answer: code, seq }));
      return;
    }
    if (code === 'queue_full' && this.#ordered.droppedSeq(seq)) return;
    const message = this.#sent.find((sent) => sent.seq === seq);
    if (message === undefined) {
      this.#lie(`${line} for a message that was not sent here`);
      return;
    }
    if (!mayRefuse(code, words)) this.#lie(`a correct message is refused: ${line}`);
    if (code === 'queue_full' && seq <= this.#storedUpTo)
      this.#lie(`${line} after stored ${this.#storedUpTo}`);
    message.refused(code, { over: this.#id, byKafka: isByKafka(words) });
    this.#host.answered();
  }

  #onError(code: string, reply: Reply, line: string): void {
    if (this.#ordered.isDue({ answer: code })) this.#checked(this.#ordered.heard({ answer: code }));
    else if (endsConnection(code) || (code === TOO_MANY_ERRORS && this.#refusals > MAX_REFUSALS))
      this.#onLast(code, reply);
    else if (code === 'queue_full') this.#ordered.dropped();
    else if (code === 'rate_limited') this.#onRateLimited();
    // The answer of a message without seq has none either.
    else if (this.#hasAskedForAll || !mayRefuse(code, reply.message))
      this.#lie(`an error that the device gave no reason for: ${line}`);
  }

  #onRateLimited(): void {
    const { nowMs } = this.#options.world;
    if (nowMs - this.#rateLimitedAtMs < LIMITED_EVERY_MS) this.#lie('rate_limited more than once a minute');
    this.#rateLimitedAtMs = nowMs;
  }

  #checked(problem: string | undefined): void {
    if (problem !== undefined) this.#lie(problem);
  }

  #write(bytes: Uint8Array): void {
    if (this.#held !== undefined) {
      const middle = this.#held.length === 0 ? Math.floor(bytes.length / 2) : 0;
      if (middle > 0) this.#socket.write(bytes.subarray(0, middle));
      this.#held.push(bytes.subarray(middle));
    } else this.#socket.write(bytes);
  }

  /** The rest of a torn line, and all that came behind it. */
  #mend(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    if (this.#isClosed || this.#socket.writableEnded) return;
    for (const bytes of held) this.#socket.write(bytes);
  }

  #onLast(code: string, { reconnect_after_ms: afterMs }: Reply): void {
    this.#code = code;
    if (!isRightWait(code, afterMs)) this.#lie(`${code} with reconnect_after_ms ${afterMs}`);
    this.#reconnectAfterMs = typeof afterMs === 'number' ? afterMs : undefined;
    if (!this.#isHalfClosed) this.#socket.end();
  }

  #closed(): void {
    this.#isClosed = true;
    if (this.#sawEnd && !this.#mayBeCut) this.#checkEnd();
    this.#host.ended({
      code: this.#code,
      reconnectAfterMs: this.#reconnectAfterMs,
      wasIdentified: this.#id !== undefined,
      hadSuccess: this.#storedUpTo >= 0,
      wasHalfClosed: this.#isHalfClosed && this.#sawEnd && this.#code === undefined,
    });
  }

  /** The kernel of a process that was killed ends its connections as the process would. */
  get #mayBeCut(): boolean {
    const { world, to } = this.#options;
    return world.network.lastDeathMs(to.host) >= this.madeAtMs || this.#deafMs >= DEAF_MS;
  }

  #checkEnd(): void {
    if (this.#rest !== '') this.#lie(`the connection ended within a reply: ${this.#rest}`);
    if (!this.#isHalfClosed || this.#code !== undefined) return;
    const open = this.#sent.filter(({ state }) => state === 'open').length;
    if (open > 0) this.#lie(`ended in order after a half-close, and ${open} messages have no answer`);
    if (this.#ordered.areDue)
      this.#lie('ended in order after a half-close, and a refused line or a keepalive has no answer');
  }

  #lie(text: string): void {
    this.#host.lie(`${this.#options.from} on connection ${this.#id ?? '(unheard)'}: ${text}`);
  }
}
