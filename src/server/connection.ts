// One connection of a device: its state, its way from bytes to jobs, and its end. Workers decide what a line means. Why
// it is not read at times is in read-pauses.ts and slowdown.ts, its times are in deadlines.ts, its lines in
// line-input.ts, its unsent replies in reply-buffer.ts.
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Code, type FatalCode, isFatal } from '../protocol/codes.ts';
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { Identify } from '../protocol/messages.ts';
import { RecordFrame } from '../protocol/record-frame.ts';
import * as replies from '../protocol/replies.ts';
import type { JobSink, Lane, LineBytes, Refusal, Session } from '../queue/job.ts';
import type { LimitCode } from './abuse-log.ts';
import type { ServerCounters } from './counters.ts';
import { type Deadline, Deadlines } from './deadlines.ts';
import { readDevice } from './device-reader.ts';
import { FirstBytes } from './first-bytes.ts';
import { LineInput } from './line-input.ts';
import type { RateOptions } from './line-rates.ts';
import type { MemoryBudget, MemoryHolder } from './memory-budget.ts';
import { PAUSE, ReadPauses } from './read-pauses.ts';
import { ReplyBuffer } from './reply-buffer.ts';
import type { ReplyFlush } from './reply-flush.ts';
import type { Slab } from './slabs.ts';
import { Slowdown, TOO_MANY_ERRORS_MS } from './slowdown.ts';
import type { TimerWheel } from './timer-wheel.ts';

export interface ConnectionOptions extends RateOptions {
  readonly maxLineBytes: number;
  readonly identifyTimeoutMs: number;
  readonly inactivityTimeoutMs: number;
  readonly lineTimeoutMs: number;
}

/** The server as its connections see it. */
export interface ConnectionHost {
  readonly options: ConnectionOptions;
  readonly sink: JobSink;
  readonly wheel: TimerWheel;
  readonly memory: MemoryBudget;
  readonly replyFlush: ReplyFlush;
  readonly counters: ServerCounters;
  readonly activeConnections: number;
  /** Bytes came from a device, and their lines are in the sink. */
  received(bytes: number): void;
  identified(connection: Connection, message: Identify): void;
  /** A line was refused. Its bytes are valid only during the call. */
  lineRefused(connection: Connection, code: Code, line: LineBytes): void;
  wrongProtocol(connection: Connection, protocol: ForeignProtocol): void;
  /** The connection is closed because of a limit that good devices never reach. */
  limitReached(connection: Connection, code: LimitCode): void;
  closed(connection: Connection): void;
}

type State =
  | { readonly name: 'open' }
  /** FIN came. Lines before it are not all taken. */
  | { readonly name: 'half-closed' }
  /** FIN came and all lines are taken. Replies are still due. */
  | { readonly name: 'answering' }
  /** The last reply was written. Input is thrown away, for a while and up to a limit. */
  | { readonly name: 'closing'; discardedBytes: number }
  | { readonly name: 'closed' };

const OPEN: State = { name: 'open' };
const HALF_CLOSED: State = { name: 'half-closed' };
const ANSWERING: State = { name: 'answering' };
const CLOSED: State = { name: 'closed' };

// After the last reply the connection stays open for a while and throws away up to 4 MiB of input: a close with unread
// input sends a reset, which may overtake the reply.
const LINGER_MS = 2000;
const LINGER_BYTES = 4 * 1024 * 1024;
/** A device that reads none of its replies for this long is closed. */
const SLOW_READER_MS = 30_000;
/** A connection that holds much memory gets this long to free some of it. */
const OVERLOADED_MS = 5000;
/** An identify with all its fields has less than 2 KiB. */
const MAX_IDENTIFY_BYTES = 8 * 1024;

export class Connection implements Session, MemoryHolder {
  readonly id = randomUUID();
  readonly remoteAddress: string;
  partition = -1;
  generation = -1;
  lane: Lane | undefined;
  lastSeq = -1;
  chargedBytes = 0;
  sizeClass = -1;
  /** The server sets it if the device identifies with one. */
  deviceId: string | undefined;

  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #input: LineInput;
  readonly #replies: ReplyBuffer;
  readonly #pauses: ReadPauses;
  readonly #deadlines: Deadlines;
  readonly #slowdown: Slowdown;
  #state: State = OPEN;
  #frame: RecordFrame | undefined;
  #firstBytes: FirstBytes | undefined = new FirstBytes();
  /** Jobs that may be in the queue. One, if the next line depends on how the line before was judged. */
  #maxJobs = 1;
  #isIdentifyOverdue = false;
  #receivedAtMs = 0;
  #expectedSeq = -1;
  #storedSeq = -1;
  #toldSeq = -1;

  constructor(host: ConnectionHost, accepted: Socket) {
    this.#host = host;
    this.remoteAddress = accepted.remoteAddress ?? '';
    const socket = readDevice(accepted, (bytes, slab) => this.#onData(bytes, slab), host.activeConnections);
    this.#socket = socket;
    const { options, wheel, counters } = host;
    this.#input = new LineInput(Math.min(MAX_IDENTIFY_BYTES, options.maxLineBytes), () => this.#charge());
    this.#replies = new ReplyBuffer(socket, host.replyFlush, (isProgress) => this.#onReplies(isProgress));
    this.#pauses = new ReadPauses(socket, counters);
    this.#deadlines = new Deadlines(wheel, (deadline) => this.#onDeadline(deadline));
    this.#slowdown = new Slowdown(options, { deadlines: this.#deadlines, pauses: this.#pauses });
    this.#deadlines.set('identify', options.identifyTimeoutMs);
    this.#deadlines.set('inactive', options.inactivityTimeoutMs);
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
  }

  get frame(): RecordFrame | undefined {
    return this.#frame;
  }

  /** Lines that wait for room in the queue. */
  get heldLines(): number {
    const waits = this.#pauses.has(PAUSE.queue) || this.#pauses.has(PAUSE.ownJob);
    return waits ? this.#input.framer.lines : 0;
  }

  // --- called by workers, queue and delivery ---

  identify(message: Identify): void {
    this.accept();
    // The connection ended while its line was in the queue.
    if (this.#isEnding) return;
    const { zipcode, city, device_id: deviceId } = message;
    const { options } = this.#host;
    this.#frame = new RecordFrame({ connectionId: this.id, zipcode, city, deviceId });
    this.#input.framer.maxLineBytes = options.maxLineBytes;
    this.#firstBytes = undefined;
    this.#deadlines.clear('identify');
    this.#setMaxJobs();
    this.#host.identified(this, message);
    this.#reply(replies.identified(this.id));
  }

  accept(): void {
    this.#host.counters.linesAccepted++;
  }

  refuse({ code, message, seq }: Refusal, line: LineBytes): void {
    this.#host.counters.linesRefused++;
    this.#host.lineRefused(this, code, line);
    this.#answer(code, message, { seq });
    // A full queue is no fault of the device.
    if (code === 'queue_full' || this.#isEnding) return;
    this.#slowdown.lineRefused();
    this.#setMaxJobs();
  }

  alive(): void {
    this.#reply(replies.ALIVE);
  }

  expectStored(seq: number): void {
    this.#expectedSeq = seq;
  }

  stored(seq: number): void {
    if (seq <= this.#storedSeq) return;
    this.#storedSeq = seq;
    this.#tellStored();
    this.#endWhenAnswered();
  }

  done(): void {
    if (!this.#input.jobDone()) return;
    if (this.#state !== OPEN || this.#pauses.reasons !== 0 || this.#frame === undefined) this.#afterJob();
  }

  onRoom(): void {
    if (!this.#pauses.has(PAUSE.queue)) return;
    this.#pauses.end(PAUSE.queue);
    this.#goOn();
  }

  // --- called by the server ---

  /** Refuses the connection: the reply, then the end. */
  close(code: FatalCode, message: string): void {
    if (!this.#isEnding) this.#answer(code, message);
  }

  /** Another connection has the device_id, here or in another process. */
  replaced(message: string, reconnectAfterMs: number): void {
    if (!this.#isEnding) this.#answer('replaced', message, { reconnectAfterMs });
  }

  /** Kafka refused a record of a message that was accepted. */
  refuseAccepted(code: Code, message: string, seq: number | undefined): void {
    this.#answer(code, message, { seq });
  }

  /** Reads no further input. Lines already received are still handled, also those of a connection that is slowed down. */
  stopReading(): void {
    if (this.#isEnding) return;
    this.#pauses.begin(PAUSE.stopping);
    this.#deadlines.clear('identify');
    this.#setMaxJobs();
    if (this.#pauses.has(PAUSE.slowed)) this.#onDeadline('slowed');
  }

  /** Sends `closing` and ends. */
  shutdown(reconnectAfterMs: number): void {
    if (this.#isEnding) return;
    this.#reply(replies.closing(reconnectAfterMs));
    this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // --- called by the memory budget ---

  pauseForMemory(): void {
    if (this.#isEnding) return;
    this.#pauses.begin(PAUSE.memory);
    this.#deadlines.set('memory', OVERLOADED_MS);
  }

  resumeForMemory(): void {
    if (!this.#pauses.has(PAUSE.memory)) return;
    this.#deadlines.clear('memory');
    this.#pauses.end(PAUSE.memory);
    this.#goOn();
  }

  overloaded(): void {
    if (!this.#isEnding) {
      this.#host.limitReached(this, 'overloaded');
      if (!this.#replies.isStuck) {
        this.close('overloaded', 'the gateway has no memory left for the bytes that this connection holds');
        return;
      }
      this.#host.counters.refused.overloaded++;
    }
    // A reply would wait behind those that the device does not read, and their memory would not be free.
    this.#socket.destroy();
    this.#charge();
  }

  // --- input ---

  #onData(chunk: Uint8Array, slab: Slab | undefined): void {
    this.#host.counters.receivedBytes += chunk.length;
    if (this.#isEnding) {
      this.#discard(chunk.length);
      return;
    }
    this.#deadlines.set('inactive', this.#host.options.inactivityTimeoutMs);
    this.#receivedAtMs = Date.now();
    if (this.#firstBytes !== undefined && !this.#isDevice(this.#firstBytes, chunk)) return;
    this.#input.push(chunk, slab);
    this.#takeLines();
    this.#input.settle();
    this.#charge();
    this.#host.received(chunk.length);
  }

  #discard(bytes: number): void {
    if (this.#state.name !== 'closing') return;
    this.#state.discardedBytes += bytes;
    if (this.#state.discardedBytes > LINGER_BYTES) this.#socket.destroy();
  }

  /** False if the first bytes are of another protocol: the connection is closed then. */
  #isDevice(firstBytes: FirstBytes, chunk: Uint8Array): boolean {
    const protocol = firstBytes.judge(chunk);
    if (protocol === 'undecided') return true;
    this.#firstBytes = undefined;
    if (protocol === undefined) return true;
    this.#refuseProtocol(protocol);
    return false;
  }

  #refuseProtocol(protocol: ForeignProtocol): void {
    this.#host.wrongProtocol(this, protocol);
    this.close('wrong_protocol', `this is a port for lines of JSON, and these bytes are ${protocol}`);
  }

  #takeLines(): void {
    const { framer } = this.#input;
    let isNewLine = false;
    while (!this.#isEnding && !this.#pauses.holdsLines) {
      if (this.#input.pendingJobs >= this.#maxJobs) {
        this.#deadlines.clear('line');
        if (!framer.isEmpty) this.#pauses.begin(PAUSE.ownJob);
        return;
      }
      const result = framer.next();
      if (result === 'more') {
        this.#timeLine(isNewLine);
        return;
      }
      if (result === 'too_long') {
        this.#refuseLength();
        return;
      }
      isNewLine = true;
      this.#takeLine();
    }
  }

  #timeLine(isNewLine: boolean): void {
    if (this.#input.framer.partialBytes === 0) this.#deadlines.clear('line');
    else if (isNewLine || !this.#deadlines.isSet('line'))
      this.#deadlines.set('line', this.#host.options.lineTimeoutMs);
  }

  #refuseLength(): void {
    this.#host.counters.linesReceived++;
    this.#host.counters.linesRefused++;
    const kind = this.#frame === undefined ? 'an identify line' : 'a line';
    this.close('line_too_long', `${kind} has at most ${this.#input.framer.maxLineBytes} bytes`);
  }

  /** The line waits in the framer if the queue has no room. */
  #takeLine(): void {
    const { bytes, start, end } = this.#input.framer;
    // A browser must not get further lines in, even if it managed to send something before its request.
    if (this.#frame === undefined && FirstBytes.isRequest(bytes, start, end)) {
      this.#refuseProtocol('http');
      return;
    }
    if (!this.#input.offer(this.#host.sink, this, this.#receivedAtMs)) {
      this.#pauses.begin(PAUSE.queue);
      this.#host.sink.awaitRoom(this);
      return;
    }
    this.#host.counters.linesReceived++;
    // It may have been refused and the connection closed within the offer.
    if (!this.#isEnding && this.#slowdown.lineTaken(end - start + 1))
      this.#answer(
        'rate_limited',
        'lines come faster than this gateway allows, so it reads them more slowly',
      );
  }

  #setMaxJobs(): void {
    this.#maxJobs = this.#frame === undefined || this.#slowdown.isOneByOne ? 1 : Number.POSITIVE_INFINITY;
  }

  #afterJob(): void {
    if (this.#isEnding) return;
    if (this.#isIdentifyOverdue && this.#frame === undefined) this.#onDeadline('identify');
    if (!this.#pauses.has(PAUSE.ownJob)) this.#finish();
    else if (this.#input.pendingJobs < this.#maxJobs) {
      this.#pauses.end(PAUSE.ownJob);
      this.#goOn();
    }
  }

  /** Takes the lines that had to wait, then reads again. */
  #goOn(): void {
    if (this.#isEnding) return;
    this.#takeLines();
    this.#finish();
    this.#input.settle();
    this.#charge();
    if (this.#state !== OPEN || this.#pauses.reasons !== 0) return;
    // The device was not silent: the gateway did not read it.
    this.#deadlines.set('inactive', this.#host.options.inactivityTimeoutMs);
    this.#timeLine(true);
    this.#socket.resume();
  }

  #onEnd(): void {
    if (this.#state !== OPEN) return;
    this.#state = HALF_CLOSED;
    this.#finish();
  }

  /** After FIN: takes the rest without LF once all lines before it are taken, and ends if nothing more is due. */
  #finish(): void {
    if (this.#state === HALF_CLOSED) this.#takeRest();
    this.#endWhenAnswered();
  }

  #takeRest(): void {
    const { framer } = this.#input;
    if (!framer.isEmpty || this.#pauses.holdsLines) return;
    if (framer.partialBytes > 0) {
      if (this.#input.pendingJobs >= this.#maxJobs) return;
      if (framer.finish() === 'too_long') this.#refuseLength();
      else this.#takeLine();
      if (!framer.isEmpty) return;
    }
    if (this.#isEnding) return;
    this.#deadlines.clear('line');
    this.#state = ANSWERING;
  }

  #endWhenAnswered(): void {
    if (this.#state !== ANSWERING || this.#pauses.has(PAUSE.replies)) return;
    if (this.#input.pendingJobs === 0 && this.#expectedSeq <= this.#storedSeq) this.#end();
  }

  // --- output ---

  #answer(code: Code, message: string, facts: replies.ErrorFacts = {}): void {
    this.#host.counters.refused[code]++;
    const reply = replies.refused(code, message, facts);
    if (!isFatal(code)) {
      this.#reply(reply);
    } else if (!this.#isEnding) {
      // #reply() would close a slow reader here, with a second last reply.
      this.#replies.write(reply);
      this.#end();
    }
  }

  #reply(text: string): void {
    if (this.#isEnding) return;
    this.#replies.write(text);
    if (!this.#replies.full) return;
    if (!this.#pauses.has(PAUSE.replies)) {
      this.#pauses.begin(PAUSE.replies);
      this.#deadlines.set('replies', SLOW_READER_MS);
    }
    if (this.#replies.overflown) this.close('slow_reader', 'the replies are not being read');
  }

  // `stored` is cumulative, so a device that is behind gets only the newest when it reads again.
  #tellStored(): void {
    if (this.#toldSeq === this.#storedSeq || this.#pauses.has(PAUSE.replies)) return;
    this.#toldSeq = this.#storedSeq;
    this.#reply(replies.stored(this.#storedSeq));
  }

  #onReplies(isProgress: boolean): void {
    this.#charge();
    // A turn later: the kernel may take replies so fast that a device full of bad lines would hold the event loop.
    if (isProgress && this.#pauses.has(PAUSE.replies)) setImmediate(() => this.#onRepliesTaken());
  }

  #onRepliesTaken(): void {
    if (this.#isEnding || !this.#pauses.has(PAUSE.replies)) return;
    if (this.#replies.full) {
      this.#deadlines.set('replies', SLOW_READER_MS);
      return;
    }
    this.#deadlines.clear('replies');
    this.#pauses.end(PAUSE.replies);
    this.#tellStored();
    // During a stop no further lines are taken: a device that reads its replies only now must not prolong the stop.
    if (!this.#pauses.has(PAUSE.stopping)) this.#goOn();
  }

  // --- time and end ---

  #onDeadline(deadline: Deadline): void {
    if (this.#isEnding) {
      if (deadline === 'linger') this.#socket.destroy();
      return;
    }
    const { identifyTimeoutMs, inactivityTimeoutMs, lineTimeoutMs } = this.#host.options;
    // While the gateway does not read the device, its silence does not count.
    const isRead = this.#pauses.reasons === 0;
    const isJudged = this.#frame === undefined && this.#input.pendingJobs > 0;
    switch (deadline) {
      case 'replies':
        this.close('slow_reader', 'the replies are not being read');
        break;
      case 'errors':
        if (this.#slowdown.hasRecovered()) this.#setMaxJobs();
        else this.#refuseAbuse();
        break;
      case 'memory':
        // If the line waits for the queue, the device could free nothing.
        if (this.#pauses.has(PAUSE.queue)) this.#deadlines.set('memory', OVERLOADED_MS);
        else this.overloaded();
        break;
      case 'slowed':
        this.#slowdown.end();
        this.#goOn();
        break;
      case 'identify':
        // Its line came in time, and the gateway has not looked at it.
        if (isJudged) this.#isIdentifyOverdue = true;
        else this.close('identify_timeout', `identify within ${identifyTimeoutMs} ms`);
        break;
      case 'line':
        if (isRead) this.close('line_timeout', `a line has to end within ${lineTimeoutMs} ms`);
        break;
      case 'inactive':
        if (isRead && !isJudged) this.close('inactive', `nothing was received for ${inactivityTimeoutMs} ms`);
        else this.#deadlines.set('inactive', inactivityTimeoutMs);
        break;
      case 'linger':
        break;
    }
  }

  #refuseAbuse(): void {
    this.#host.limitReached(this, 'too_many_errors');
    this.close('too_many_errors', `lines were refused again and again for ${TOO_MANY_ERRORS_MS} ms`);
  }

  /** The last reply was written, or nobody is there to read it. */
  get #isEnding(): boolean {
    const state = this.#state;
    return state !== OPEN && state !== HALF_CLOSED && state !== ANSWERING;
  }

  #end(): void {
    this.#leave({ name: 'closing', discardedBytes: 0 });
    this.#replies.end();
    this.#charge();
    this.#deadlines.set('linger', LINGER_MS);
    this.#socket.resume();
  }

  #onClose(): void {
    this.#leave(CLOSED);
    this.#replies.clear();
    this.#host.memory.forget(this);
    this.#host.closed(this);
  }

  #leave(state: State): void {
    this.#state = state;
    this.#host.sink.forget(this);
    this.#deadlines.clearAll();
    this.#pauses.clear();
    this.#input.clear();
  }

  /** Tells the budget how many bytes this connection holds. */
  #charge(): void {
    const bytes = this.#socket.destroyed ? 0 : this.#input.heldBytes + this.#replies.heldBytes;
    if (bytes !== this.chargedBytes) this.#host.memory.charge(this, bytes);
  }
}
