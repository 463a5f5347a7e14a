// One connection to the gateway: the lines of a rule, and the replies that it waits for. Every reply is also held to the
// promises that hold on any connection: its form, and the order of `stored` and errors.
import type { Socket } from 'node:net';
import { type Exchange, Failed, NotChecked } from '../outcome.ts';
import { nameOf, parseReply, type Reply } from './reply.ts';
import { Transcript } from './transcript.ts';

/** Replies that are about the gateway and not about the lines of this device. */
const STATUSES = ['identified', 'alive', 'time', 'stored', 'error', 'closing'];
const INTERRUPTIONS = ['server_full', 'kicked', 'overloaded', 'queue_full', 'closing'];
const SEQ = /"(?:s|\\u0073)eq"\s*:\s*(\d{1,16})(?![\d.eE])/g;
const LF = 0x0a;
/** How long a connection that is of no more use may take to end. */
const CLOSE_MS = 500;
/** Replies of rules are short: only a broken gateway writes a line that is longer. */
const MAX_REPLY_BYTES = 65_536;

export class Conversation {
  readonly #socket: Socket;
  #patienceMs: number;
  readonly #transcript = new Transcript();
  readonly #replies: Reply[] = [];
  readonly #warnings: Reply[] = [];
  #hasHeard = false;
  #rest: Buffer = Buffer.alloc(0);
  #storedSeq = -1;
  #maxSentSeq = -1;
  /** Those that were sent when they no longer rose: their errors may come behind any `stored`. */
  readonly #fallenSeqs = new Set<number>();
  #ended: string | undefined;
  #broken: string | undefined;
  #interrupted: string | undefined;
  #wake: () => void = () => {};

  /** @param socket connected, with allowHalfOpen */
  constructor(socket: Socket, patienceMs: number) {
    this.#socket = socket;
    this.#patienceMs = patienceMs;
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('end', () => this.#onEnd('FIN'));
    socket.on('error', (error) => this.#onEnd((error as { code?: string }).code ?? error.message));
    socket.on('close', () => this.#onEnd('closed'));
  }

  /** The highest `seq` that is stored so far, or -1. */
  get storedSeq(): number {
    return this.#storedSeq;
  }

  /** The warnings so far. */
  get warnings(): readonly Reply[] {
    return this.#warnings;
  }

  /** True once any byte has come. */
  get hasHeard(): boolean {
    return this.#hasHeard;
  }

  /** True once the gateway has ended the connection. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Sends bytes as they are, a text as UTF-8. */
  send(data: string | Uint8Array): this {
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data);
    this.#transcript.sent(bytes);
    for (const [, digits] of bytes.toString('latin1').matchAll(SEQ)) {
      const seq = Number(digits);
      if (seq <= this.#maxSentSeq) this.#fallenSeqs.add(seq);
      this.#maxSentSeq = Math.max(this.#maxSentSeq, seq);
    }
    // A gateway that has closed takes no bytes. The rule hears of it by the replies that are missing.
    if (!this.hasEnded && this.#socket.writable) this.#socket.write(bytes);
    return this;
  }

  /** Sends each part in a packet of its own. */
  async sendInParts(parts: Iterable<string | Uint8Array>): Promise<void> {
    for (const part of parts) {
      if (this.hasEnded) return;
      this.send(part);
      await new Promise((resolve) => this.#socket.write('', resolve));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** From now on a reply may take this much longer: the rule waits for a timer of the gateway. */
  waitLonger(ms: number): void {
    this.#patienceMs += ms;
  }

  /** Ends the sending side (FIN) and goes on reading. */
  end(): this {
    this.#transcript.sentEnd();
    this.#socket.end();
    return this;
  }

  /** The next reply other than `stored` and `rate_limited`. @param expected for the report */
  async next(expected: string): Promise<Reply> {
    await this.#until(expected, () => this.#replies.length > 0);
    const reply = this.#replies.shift();
    if (reply === undefined) throw this.failed(expected);
    return reply;
  }

  /** The next replies other than `stored` are these, in this order. @returns the last of them */
  async expect(...names: readonly string[]): Promise<Reply> {
    let last: Reply | undefined;
    for (const name of names) {
      last = await this.next(`\`${name}\``);
      if (nameOf(last) !== name) throw this.failed(`\`${name}\` and not \`${nameOf(last)}\``);
    }
    if (last === undefined) throw new Error('expect() needs a name');
    return last;
  }

  /** Waits until the message with this `seq` is stored. Nothing else may come before. */
  async stored(seq: number): Promise<void> {
    const expected = `\`stored\` with seq ${seq}, and no other reply before it`;
    await this.#until(expected, () => this.#storedSeq >= seq || this.#replies.length > 0);
    if (this.#replies.length > 0) throw this.failed(expected);
  }

  /** The gateway ends the connection, and sends nothing before but `stored`. */
  async closed(): Promise<void> {
    const expected = 'the end of the connection, and no other reply before it';
    await this.#until(expected, () => this.#replies.length > 0 || this.#ended !== undefined, true);
    if (this.#replies.length > 0) throw this.failed(expected);
    if (this.#ended !== 'FIN' && this.#ended !== 'closed')
      throw this.failed('the end of the connection without a reset');
  }

  /** The connection is of use: a keepalive is answered, and nothing comes before. */
  async alive(): Promise<void> {
    this.send('{"type":"keepalive"}\n');
    await this.expect('alive');
  }

  get exchange(): Exchange {
    return this.#transcript.exchange();
  }

  /** The error for a rule that this connection shows to be broken. */
  failed(expected: string, exchange = this.exchange): Failed {
    return new Failed(expected, exchange);
  }

  /** @throws Failed if anything that has come breaks a promise */
  assertSound(): void {
    if (this.#broken !== undefined) throw this.failed(this.#broken);
  }

  /** Ends both sides, in good order if the gateway does the same soon. */
  async close(): Promise<void> {
    this.#socket.end();
    const untilMs = performance.now() + CLOSE_MS;
    while (!this.hasEnded && performance.now() < untilMs) await this.#woken(untilMs - performance.now());
    this.#socket.destroy();
  }

  /** Waits for the condition. @param canEnd the end of the connection is no failure in itself */
  async #until(expected: string, condition: () => boolean, canEnd = false): Promise<void> {
    const untilMs = performance.now() + this.#patienceMs;
    for (;;) {
      this.assertSound();
      if (condition()) return;
      if (this.#interrupted !== undefined)
        throw new NotChecked(`the gateway answered ${this.#interrupted}, which this rule does not expect`);
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || (this.#ended !== undefined && !canEnd)) throw this.failed(expected);
      await this.#woken(leftMs);
    }
  }

  /** Resolves when anything has come, or after this time. */
  #woken(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #onData(bytes: Buffer): void {
    this.#hasHeard = true;
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let start = 0;
    for (let end = this.#rest.indexOf(LF); end >= 0; end = this.#rest.indexOf(LF, start)) {
      this.#onLine(this.#rest.subarray(start, end));
      start = end + 1;
    }
    this.#rest = this.#rest.subarray(start);
    if (this.#rest.length > MAX_REPLY_BYTES) {
      this.#broken ??= 'a reply is one line, and short';
      this.#socket.destroy();
    }
    this.#wake();
  }

  #onLine(line: Uint8Array): void {
    this.#transcript.came(line);
    const reply = parseReply(line);
    if (typeof reply === 'string') {
      this.#broken ??= reply;
      return;
    }
    if (reply.status === 'stored') this.#onStored(reply.seq ?? -1);
    else if (reply.status === 'warning') this.#warnings.push(reply);
    // A device ignores statuses that it does not know.
    else if (reply.code === 'rate_limited' || !STATUSES.includes(reply.status)) return;
    else if (INTERRUPTIONS.includes(reply.code ?? '') || reply.status === 'closing')
      this.#interrupted ??= `${reply.status} ${reply.code ?? ''}`.trim();
    else this.#onAnswer(reply);
  }

  #onStored(seq: number): void {
    // A message that is sent again after a resume is answered with the highest `stored` once more.
    const isRepeated = seq === this.#storedSeq && this.#fallenSeqs.size > 0;
    if (seq <= this.#storedSeq && !isRepeated)
      this.#broken ??= `a \`stored\` above seq ${this.#storedSeq}: it only rises`;
    if (seq > this.#maxSentSeq)
      this.#broken ??= `no \`stored\` ${seq}, for no message with this seq was sent`;
    this.#storedSeq = seq;
  }

  #onAnswer(reply: Reply): void {
    const { status, seq } = reply;
    if (status === 'error' && seq !== undefined && seq <= this.#storedSeq && !this.#fallenSeqs.has(seq))
      this.#broken ??= `the error for seq ${seq} before the \`stored\` that passes it`;
    this.#replies.push(reply);
  }

  #onEnd(how: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = how;
    this.#transcript.cameEnd(how);
    if (this.#rest.length > 0) this.#broken ??= 'a reply ends with LF';
    this.#wake();
  }
}
