// One device's life: its lines in, its replies out, its timers, its end. What a line means is the workers'
// business; only identify, which decides whether there is a session at all, is handled here.
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
  /** `pause` stops reading until the queue has room, `drop` refuses the line. */
  readonly queueFull: 'pause' | 'drop';
}

/** What a connection needs of its server; one object serves them all. */
export interface ConnectionHost {
  readonly options: ConnectionOptions;
  readonly sink: JobSink;
  readonly wheel: TimerWheel;
  readonly counters: ServerCounters;
  readonly activeConnections: number;
  /** So many bytes came from a device, and their lines were handed over. */
  received(bytes: number): void;
  identified(connection: Connection, message: Identify): void;
  /** A received line was refused; its bytes are the caller's again when this returns. */
  lineRefused(connection: Connection, code: Code, line: LineBytes): void;
  dropped(): void;
  closed(connection: Connection): void;
}

// After a fatal reply the device gets this long to read it; unread input would turn our close into a reset
// that may overtake the reply, so that much of it is read and thrown away.
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
  /** Set by the server when the device identified with one. */
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
  // A line waits for room in the queue; it stays in the framer.
  #held = false;
  #paused = false;
  #ended = false;
  #stopped = false;
  #closingAtMs = NEVER;
  #lingerBytes = 0;
  #pendingJobs = 0;
  /** What the bytes of pending jobs, and of the lines to come, lie in. */
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

  /** Lines that were read and wait for room in the queue. */
  get heldLines(): number {
    return this.#held ? this.#framer.lines : 0;
  }

  // --- what workers and delivery call ---

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
    if (this.#pendingJobs === 0) this.#letGo();
    if (this.#ended) this.#endWhenAnswered();
  }

  onRoom(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#goOn();
  }

  // --- what the server calls ---

  /** Refuses the connection: the reply, then the end. */
  close(code: FatalCode, message: string): void {
    if (this.#closingAtMs === NEVER) this.#answer(code, message);
  }

  /** The device has a newer connection, here or in another process. */
  replaced(): void {
    this.close('replaced', 'this device_id identified on a newer connection');
  }

  /** Tells the device that a record of an accepted message was refused by Kafka after all. */
  refuseAccepted(code: Code, message: string, seq: number | undefined): void {
    this.#answer(code, message, seq);
  }

  /** Takes no further input; what was taken is still answered. */
  stopReading(): void {
    this.#stopped = true;
    this.#socket.pause();
  }

  /** Says goodbye at shutdown and ends. */
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
    this.#drain();
    this.#letGo();
    this.#host.received(chunk.length);
  }

  /** Nothing of what was read is looked at any more: it need not stay. */
  #letGo(): void {
    if (this.#pendingJobs > 0 || !this.#framer.usedUp) return;
    for (const slab of this.#slabs) slabs.release(slab);
    this.#slabs.length = 0;
  }

  #drain(): void {
    let completed = false;
    // A device that is behind with its replies has its lines wait in the framer.
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

  /** False where the line found no room and has to be offered again. */
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
    this.#drain();
    this.#resume();
    if (this.#ended && !this.#waits) this.#finish();
  }

  /** Lines may be left in the framer: for want of room in the queue or for its own replies. */
  get #waits(): boolean {
    return this.#held || this.#behindSinceMs !== NEVER;
  }

  #resume(): void {
    if (!this.#paused || this.#waits) return;
    this.#paused = false;
    this.#host.counters.paused--;
    // The time it was kept waiting is ours, not the device's silence.
    this.#lastReceivedMs = this.#host.wheel.nowMs;
    this.#timeLine(true);
    if (!this.#ended && !this.#stopped) this.#socket.resume();
  }

  #onEnd(): void {
    this.#ended = true;
    // A FIN can be seen while the socket is paused; the lines before it come first.
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

  #answer(code: Code, message: string, seq?: number): void {
    this.#host.counters.refused[code]++;
    const reply = replies.refused(code, message, seq);
    if (!isFatal(code)) {
      this.#reply(reply);
    } else if (this.#closingAtMs === NEVER) {
      // Not #reply(), which closes a slow reader: the last reply would come twice.
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

  // Cumulative, so a device that is behind gets only the newest once it reads again.
  #tellStored(): void {
    if (this.#toldSeq === this.#storedSeq || this.#behindSinceMs !== NEVER) return;
    this.#toldSeq = this.#storedSeq;
    this.#reply(replies.stored(this.#storedSeq));
  }

  // A turn later: the kernel may take replies so fast that bad lines would never let the loop go.
  #onDrain(): void {
    if (this.#behindSinceMs !== NEVER) setImmediate(() => this.#caughtUp());
  }

  #caughtUp(): void {
    if (this.#closingAtMs !== NEVER) return;
    this.#behindSinceMs = this.#writer.full ? this.#host.wheel.nowMs : NEVER;
    this.#tellStored();
    // A device that reads its replies only now must not prolong the stop with lines that nobody has taken yet.
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
    // While the device is held back, or the gateway stops, its silence is ours.
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
    this.#host.sink.forget(this);
    this.#held = false;
    if (this.#paused) this.#host.counters.paused--;
    this.#paused = false;
    this.#socket.resume();
    this.#socket.end();
    this.#nextCheckMs = NEVER;
    this.#checkBy(this.#closingAtMs + LINGER_MS);
  }

  #onClose(): void {
    if (this.#closingAtMs === NEVER) this.#closingAtMs = this.#host.wheel.nowMs;
    if (this.#paused) this.#host.counters.paused--;
    this.#paused = false;
    this.#held = false;
    this.#host.wheel.cancel(this);
    this.#host.sink.forget(this);
    this.#host.closed(this);
  }
}

// Only a dropped line is looked at here, so that its reply can name it.
function seqOf(bytes: Uint8Array, start: number, end: number): number | undefined {
  const message = decodeLine(bytes, start, end);
  return message.type === 'metrics' || message.type === 'refused' ? message.seq : undefined;
}
