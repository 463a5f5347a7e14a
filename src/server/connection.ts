// One connection of a device: its lines, its replies, its timers and its end. Workers decide what a line means; only
// identify is decoded here, because without it there is no session.
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Code, type FatalCode, isFatal } from '../protocol/codes.ts';
import { decodeLine, type Identify } from '../protocol/messages.ts';
import { RecordFrame } from '../protocol/record-frame.ts';
import * as replies from '../protocol/replies.ts';
import type { Job, JobSink, LineBytes, Refusal, Session } from '../queue/job.ts';
import type { ServerCounters } from './counters.ts';
import { readDevice } from './device-reader.ts';
import { LineFramer } from './line-framer.ts';
import { ReplyWriter } from './reply-writer.ts';
import { type Slab, slabs } from './slabs.ts';
import { NOT_SCHEDULED, type TimerOwner, type TimerWheel } from './timer-wheel.ts';

export interface ConnectionOptions {
  readonly maxLineBytes: number;
  readonly identifyTimeoutMs: number;
  readonly inactivityTimeoutMs: number;
  readonly lineTimeoutMs: number;
  /** `pause` stops reading until the queue has room; `drop` refuses the line. */
  readonly queueFull: 'pause' | 'drop';
}

/** The server as its connections see it. */
export interface ConnectionHost {
  readonly options: ConnectionOptions;
  readonly sink: JobSink;
  readonly wheel: TimerWheel;
  readonly counters: ServerCounters;
  readonly activeConnections: number;
  /** Bytes came from a device, and their lines are in the sink. */
  received(bytes: number): void;
  identified(connection: Connection, message: Identify): void;
  /** A line was refused. Its bytes are valid only during the call. */
  lineRefused(connection: Connection, code: Code, line: LineBytes): void;
  dropped(): void;
  closed(connection: Connection): void;
}

// After the last reply the connection stays open for a while and throws away up to 4 MiB of input: a close with unread
// input sends a reset, which may overtake the reply.
const LINGER_MS = 2000;
const LINGER_BYTES = 4 * 1024 * 1024;
/** A device that reads none of its replies for this long is closed. */
const SLOW_READER_MS = 30_000;

const NEVER = Number.POSITIVE_INFINITY;

export class Connection implements Session, TimerOwner {
  readonly id = randomUUID();
  readonly remoteAddress: string;
  wheelSlot = NOT_SCHEDULED;
  partition = -1;
  generation = -1;
  lastSeq = -1;
  /** The server sets it if the device identifies with one. */
  deviceId: string | undefined;

  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #writer: ReplyWriter;
  readonly #framer: LineFramer;
  readonly #connectedAtMs: number;
  #frame: RecordFrame | undefined;
  #lastReceivedMs: number;
  #receivedAtMs = 0;
  #lineBegunMs = NEVER;
  #behindSinceMs = NEVER;
  #nextCheckMs = NEVER;
  // The next line waits in the framer for room in the queue.
  #held = false;
  #paused = false;
  #ended = false;
  #stopped = false;
  #closingAtMs = NEVER;
  #lingerBytes = 0;
  #pendingJobs = 0;
  /** They hold the bytes of pending jobs and of lines still in the framer. */
  readonly #slabs: Slab[] = [];
  #expectedSeq = -1;
  #storedSeq = -1;
  #toldSeq = -1;

  constructor(host: ConnectionHost, accepted: Socket) {
    this.#host = host;
    this.remoteAddress = accepted.remoteAddress ?? '';
    const socket = readDevice(accepted, (bytes, slab) => this.#onData(bytes, slab), host.activeConnections);
    this.#socket = socket;
    this.#writer = new ReplyWriter(socket);
    this.#framer = new LineFramer(host.options.maxLineBytes);
    this.#connectedAtMs = host.wheel.nowMs;
    this.#lastReceivedMs = this.#connectedAtMs;
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#onDrain());
    socket.on('close', () => this.#onClose());
    const { identifyTimeoutMs, inactivityTimeoutMs } = host.options;
    this.#checkBy(this.#connectedAtMs + Math.min(identifyTimeoutMs, inactivityTimeoutMs));
  }

  get frame(): RecordFrame {
    if (this.#frame === undefined) throw new Error('a connection has no record frame before it identifies');
    return this.#frame;
  }

  get identified(): boolean {
    return this.#frame !== undefined;
  }

  /** Number of lines that wait for room in the queue. */
  get heldLines(): number {
    return this.#held ? this.#framer.lines : 0;
  }

  // --- called by workers and delivery ---

  accept(): void {
    this.#host.counters.linesAccepted++;
  }

  refuse({ code, message, seq }: Refusal, line: LineBytes): void {
    this.#host.counters.linesRefused++;
    this.#host.lineRefused(this, code, line);
    this.#answer(code, message, seq);
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
    this.#pendingJobs--;
    if (this.#pendingJobs === 0) this.#releaseSlabs();
    if (this.#ended) this.#endWhenAnswered();
  }

  onRoom(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#goOn();
  }

  // --- called by the server ---

  /** Refuses the connection: the reply, then the end. */
  close(code: FatalCode, message: string, reconnectAfterMs?: number): void {
    if (this.#closingAtMs === NEVER) this.#answer(code, message, undefined, reconnectAfterMs);
  }

  /** Another connection has the device_id, here or in another process. */
  replaced(message: string, reconnectAfterMs: number): void {
    this.close('replaced', message, reconnectAfterMs);
  }

  /** Kafka refused a record of a message that was accepted. */
  refuseAccepted(code: Code, message: string, seq: number | undefined): void {
    this.#answer(code, message, seq);
  }

  /** Reads no further input. Lines already taken are still answered. */
  stopReading(): void {
    this.#stopped = true;
    this.#socket.pause();
  }

  /** Sends `closing` and ends. */
  shutdown(reconnectAfterMs: number): void {
    if (this.#closingAtMs !== NEVER) return;
    this.#reply(replies.closing(reconnectAfterMs));
    this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // --- input ---

  #onData(chunk: Uint8Array, slab: Slab | undefined): void {
    this.#host.counters.receivedBytes += chunk.length;
    if (this.#closingAtMs !== NEVER) {
      this.#lingerBytes += chunk.length;
      if (this.#lingerBytes > LINGER_BYTES) this.#socket.destroy();
      return;
    }
    this.#lastReceivedMs = this.#host.wheel.nowMs;
    this.#receivedAtMs = Date.now();
    if (slab !== undefined && this.#slabs.at(-1) !== slab) {
      slabs.hold(slab);
      this.#slabs.push(slab);
    }
    this.#framer.push(chunk);
    this.#takeLines();
    this.#releaseSlabs();
    this.#host.received(chunk.length);
  }

  /** Releases the slabs if nobody needs their bytes any more. */
  #releaseSlabs(): void {
    if (this.#pendingJobs > 0 || !this.#framer.usedUp) return;
    for (const slab of this.#slabs) slabs.release(slab);
    this.#slabs.length = 0;
  }

  #takeLines(): void {
    let completed = false;
    // If the device does not read its replies, its lines wait in the framer.
    while (this.#closingAtMs === NEVER && this.#behindSinceMs === NEVER) {
      const result = this.#framer.next();
      if (result === 'more') {
        this.#timeLine(completed);
        return;
      }
      if (result === 'too_long') {
        this.#host.counters.linesReceived++;
        this.#host.counters.linesRefused++;
        this.close('line_too_long', `a line has at most ${this.#host.options.maxLineBytes} bytes`);
        return;
      }
      completed = true;
      if (!this.#takeLine()) {
        this.#hold();
        return;
      }
    }
  }

  #timeLine(begunJustNow: boolean): void {
    if (this.#framer.partialBytes === 0) {
      this.#lineBegunMs = NEVER;
    } else if (begunJustNow || this.#lineBegunMs === NEVER) {
      this.#lineBegunMs = this.#host.wheel.nowMs;
      this.#checkBy(this.#lineBegunMs + this.#host.options.lineTimeoutMs);
    }
  }

  /** False if the queue has no room: the line has to be offered again. */
  #takeLine(): boolean {
    const { bytes, start, end } = this.#framer;
    if (this.#frame === undefined) {
      this.#host.counters.linesReceived++;
      this.#identify(bytes, start, end);
      return true;
    }
    const job: Job = { session: this, bytes, start, end, receivedAtMs: this.#receivedAtMs };
    this.#pendingJobs++;
    if (this.#host.sink.offer(job)) {
      this.#host.counters.linesReceived++;
      return true;
    }
    this.#pendingJobs--;
    if (this.#host.options.queueFull === 'pause') return false;
    this.#host.counters.linesReceived++;
    this.#host.dropped();
    const message = 'the job queue is full, the message was dropped';
    this.refuse({ code: 'queue_full', message, seq: seqOf(bytes, start, end) }, job);
    return true;
  }

  #identify(bytes: Uint8Array, start: number, end: number): void {
    const message = decodeLine(bytes, start, end);
    if (message.type === 'refused') {
      this.refuse(message, { bytes, start, end });
      return;
    }
    if (message.type !== 'identify') {
      const message = 'the first message has to be identify';
      this.refuse({ code: 'not_identified', message }, { bytes, start, end });
      return;
    }
    const { zipcode, city, device_id: deviceId } = message;
    this.#frame = new RecordFrame({ connectionId: this.id, zipcode, city, deviceId });
    this.accept();
    this.#host.identified(this, message);
    this.#reply(replies.identified(this.id));
  }

  #hold(): void {
    this.#framer.unread();
    this.#held = true;
    this.#lineBegunMs = NEVER;
    this.#pause();
    this.#host.sink.awaitRoom(this);
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#host.counters.paused++;
    this.#socket.pause();
  }

  /** Takes the lines that had to wait, then reads again. */
  #goOn(): void {
    if (this.#waits || this.#closingAtMs !== NEVER) return;
    this.#takeLines();
    this.#resume();
    if (this.#ended && !this.#waits) this.#finish();
  }

  /** True while lines wait in the framer, for room in the queue or for the device to read its replies. */
  get #waits(): boolean {
    return this.#held || this.#behindSinceMs !== NEVER;
  }

  #resume(): void {
    if (!this.#paused || this.#waits) return;
    this.#paused = false;
    this.#host.counters.paused--;
    // The device was not silent: the gateway did not read it.
    this.#lastReceivedMs = this.#host.wheel.nowMs;
    this.#timeLine(true);
    if (!this.#ended && !this.#stopped) this.#socket.resume();
  }

  #onEnd(): void {
    this.#ended = true;
    // A FIN can arrive while the socket is paused. The lines before it come first.
    if (this.#closingAtMs === NEVER && !this.#waits) this.#finish();
  }

  #finish(): void {
    this.#lineBegunMs = NEVER;
    const result = this.#framer.finish();
    if (result === 'line' && !this.#takeLine()) {
      this.#hold();
      return;
    }
    if (result === 'too_long') this.close('line_too_long', 'the last line is too long');
    this.#endWhenAnswered();
  }

  #endWhenAnswered(): void {
    if (!this.#ended || this.#waits || this.#closingAtMs !== NEVER) return;
    if (this.#pendingJobs === 0 && this.#expectedSeq <= this.#storedSeq) this.#end();
  }

  // --- output ---

  #answer(code: Code, message: string, seq?: number, reconnectAfterMs?: number): void {
    this.#host.counters.refused[code]++;
    const reply = replies.refused(code, message, seq, reconnectAfterMs);
    if (!isFatal(code)) {
      this.#reply(reply);
    } else if (this.#closingAtMs === NEVER) {
      // #reply() would close a slow reader here, with a second last reply.
      this.#writer.write(reply);
      this.#end();
    }
  }

  #reply(text: string): void {
    if (this.#closingAtMs !== NEVER) return;
    this.#writer.write(text);
    if (this.#writer.full && this.#behindSinceMs === NEVER) {
      this.#behindSinceMs = this.#host.wheel.nowMs;
      this.#checkBy(this.#behindSinceMs + SLOW_READER_MS);
      this.#pause();
    }
    if (this.#writer.overflown) this.close('slow_reader', 'the replies are not being read');
  }

  // `stored` is cumulative, so a device that is behind gets only the newest when it reads again.
  #tellStored(): void {
    if (this.#toldSeq === this.#storedSeq || this.#behindSinceMs !== NEVER) return;
    this.#toldSeq = this.#storedSeq;
    this.#reply(replies.stored(this.#storedSeq));
  }

  // A turn later: the kernel may take replies so fast that a device full of bad lines would hold the event loop.
  #onDrain(): void {
    if (this.#behindSinceMs !== NEVER) setImmediate(() => this.#onRepliesTaken());
  }

  #onRepliesTaken(): void {
    if (this.#closingAtMs !== NEVER) return;
    this.#behindSinceMs = this.#writer.full ? this.#host.wheel.nowMs : NEVER;
    this.#tellStored();
    // During a stop no further lines are taken: a device that reads its replies only now must not prolong the stop.
    if (!this.#stopped) this.#goOn();
  }

  // --- time and end ---

  onTimer(nowMs: number): void {
    this.#nextCheckMs = NEVER;
    const { identifyTimeoutMs, inactivityTimeoutMs, lineTimeoutMs } = this.#host.options;
    if (this.#closingAtMs !== NEVER) {
      if (nowMs >= this.#closingAtMs + LINGER_MS) this.#socket.destroy();
      else this.#checkBy(this.#closingAtMs + LINGER_MS);
      return;
    }
    if (nowMs >= this.#behindSinceMs + SLOW_READER_MS) {
      this.close('slow_reader', 'the replies are not being read');
      return;
    }
    // While the gateway does not read the device, its silence does not count.
    const isRead = !this.#paused && !this.#stopped;
    if (!isRead) this.#lastReceivedMs = nowMs;
    const isAwaited = !this.#stopped && this.#frame === undefined;
    const identifyBy = isAwaited ? this.#connectedAtMs + identifyTimeoutMs : NEVER;
    const lineBy = isRead ? this.#lineBegunMs + lineTimeoutMs : NEVER;
    const activeBy = this.#lastReceivedMs + inactivityTimeoutMs;
    if (nowMs >= identifyBy) this.close('identify_timeout', `identify within ${identifyTimeoutMs} ms`);
    else if (nowMs >= lineBy) this.close('line_timeout', `a line has to end within ${lineTimeoutMs} ms`);
    else if (nowMs >= activeBy) this.close('inactive', `nothing was received for ${inactivityTimeoutMs} ms`);
    else this.#checkBy(Math.min(identifyBy, lineBy, activeBy, this.#behindSinceMs + SLOW_READER_MS));
  }

  #checkBy(atMs: number): void {
    if (atMs >= this.#nextCheckMs) return;
    this.#nextCheckMs = atMs;
    const { wheel } = this.#host;
    wheel.schedule(this, atMs - wheel.nowMs);
  }

  #end(): void {
    this.#closingAtMs = this.#host.wheel.nowMs;
    this.#stopWaiting();
    this.#socket.resume();
    this.#socket.end();
    this.#nextCheckMs = NEVER;
    this.#checkBy(this.#closingAtMs + LINGER_MS);
  }

  #onClose(): void {
    if (this.#closingAtMs === NEVER) this.#closingAtMs = this.#host.wheel.nowMs;
    this.#stopWaiting();
    this.#host.wheel.cancel(this);
    this.#host.closed(this);
  }

  #stopWaiting(): void {
    this.#host.sink.forget(this);
    this.#held = false;
    if (this.#paused) this.#host.counters.paused--;
    this.#paused = false;
  }
}

// Only for a dropped line: its reply has to name the seq.
function seqOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  const message = decodeLine(bytes, start, end);
  return message.type === 'metrics' || message.type === 'refused' ? message.seq : undefined;
}
