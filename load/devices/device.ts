// One device: keeps its connection open, writes its lines and counts the replies. With a rate, schedule() makes writes
// due; without one, the device writes as much as it may.
import type { Target } from '../plan.ts';
import type { Clock } from '../processes/clock.ts';
import type { DeviceStats } from '../report/counters.ts';
import { DeviceLedger } from '../verification/ledger.ts';
import { BadLineBook } from './bad-lines.ts';
import { BlockWriter } from './block-writer.ts';
import { DeviceSocket } from './device-socket.ts';
import { type LineTexts, LineWriter } from './line-writer.ts';
import { PendingWrites } from './pending.ts';
import type { Reply } from './replies.ts';

/** Shared by all devices of a process. */
export interface DeviceHost extends Target {
  readonly texts: LineTexts;
  readonly clock: Clock;
  readonly stats: DeviceStats;
  readonly random: () => number;
  readonly seq: boolean;
  readonly linesPerWrite: number;
  readonly window: number;
  readonly badShare: number;
  readonly thinkMs: number | undefined;
  /** Nobody identifies, and nothing is answered. */
  readonly plain: boolean;
  /** True while devices without a rate must write. */
  readonly writing: boolean;
  /** True while broken connections must be opened again. */
  readonly staying: boolean;
}

export interface DeviceOptions {
  /** Its name in the records. */
  readonly name: string;
  readonly zipcode: string;
  readonly token: string | undefined;
  readonly deviceId: string | undefined;
  readonly tags: Readonly<Record<string, unknown>> | undefined;
  readonly localAddress: string | undefined;
  readonly slow: boolean;
}

/** Writes of one device in one turn. More, and a fast server would keep the other devices and the clock waiting. */
const WRITES_AT_ONCE = 16;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

export class Device {
  readonly ledger = new DeviceLedger();
  readonly slow: boolean;
  readonly #shared: DeviceHost;
  readonly #options: DeviceOptions;
  readonly #lines: LineWriter;
  readonly #blocks: BlockWriter;
  readonly #bad = new BadLineBook();
  readonly #identify: string;
  #socket: DeviceSocket | undefined;
  #pending = new PendingWrites(0);
  #connections = 0;
  #connected = false;
  #identified = false;
  #leaving = false;
  #isAwayAsPlanned = true;
  #thinking = false;
  #isResuming = false;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | undefined;
  /** Writes that are due, and the time of the first. */
  #dueWrites = 0;
  #nextDueUs = 0;
  #periodUs = 0;

  constructor(shared: DeviceHost, options: DeviceOptions) {
    const { name, zipcode, token, deviceId: device_id, tags } = options;
    this.#shared = shared;
    this.#options = options;
    this.slow = options.slow;
    this.#lines = new LineWriter(shared.texts, name);
    this.#blocks = new BlockWriter({ ...shared, lines: this.#lines, ledger: this.ledger, bad: this.#bad });
    // JSON.stringify leaves out fields that are undefined.
    const identify = { type: 'identify', zipcode, city: 'Loadville', device_id, tags, token };
    this.#identify = `${JSON.stringify(identify)}\n`;
  }

  /** Identified, and not about to leave. */
  get open(): boolean {
    return this.#identified && !this.#leaving;
  }

  /** Messages become due. Also while a broken connection is opened again, but not after leave(). */
  get takesPart(): boolean {
    return !this.#isAwayAsPlanned;
  }

  /** Without a connection, and opens none. */
  get gone(): boolean {
    return this.#socket === undefined && this.#timer === undefined;
  }

  /** Messages of this connection without a reply. */
  get unconfirmed(): number {
    return this.#shared.seq ? this.#pending.unconfirmed : 0;
  }

  connect(): void {
    this.#timer = undefined;
    const { host, port, tls, stats } = this.#shared;
    const { localAddress, slow } = this.#options;
    this.#socket = new DeviceSocket(
      { host, port, ...(tls && { tls }), localAddress, slow },
      {
        connected: () => this.#onConnect(),
        reply: (reply) => this.#onReply(reply),
        room: () => this.pump(),
        failed: (code) => stats.errors.add(code),
        closed: () => this.#onClose(),
      },
    );
  }

  /** One more write is due at `dueUs`, `periodUs` after the previous one. It stays due until it can be sent. */
  schedule(dueUs: number, periodUs: number): void {
    if (this.#dueWrites === 0) this.#nextDueUs = dueUs;
    this.#dueWrites++;
    this.#periodUs = periodUs;
    this.pump();
  }

  /** Drops all due writes and returns how many lines they were. */
  forget(): number {
    const lines = this.#dueWrites * this.#shared.linesPerWrite;
    this.#dueWrites = 0;
    return lines;
  }

  /** Writes all due writes, or without a rate as much as the socket and the window allow. */
  pump(): void {
    while (this.#dueWrites > 0 && this.#hasRoom) {
      const dueUs = this.#nextDueUs;
      this.#dueWrites--;
      this.#nextDueUs += this.#periodUs;
      this.#write(dueUs);
    }
    if (!this.#isResuming) this.#writeFast();
  }

  #writeFast(): void {
    const { writing, clock, thinkMs } = this.#shared;
    for (let writes = 0; writing && this.#hasRoom && !this.#thinking; writes++) {
      if (writes === WRITES_AT_ONCE) {
        this.#isResuming = true;
        setImmediate(() => {
          this.#isResuming = false;
          this.pump();
        });
        return;
      }
      this.#write(clock.nowUs());
      if (thinkMs !== undefined) this.#think(thinkMs);
    }
  }

  /** Closes the connection in order, once every message has its reply. */
  leave(): void {
    this.#leaving = true;
    this.#isAwayAsPlanned = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#identified) this.#socket?.destroy();
    else if (this.unconfirmed === 0) this.#socket?.end();
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.#leaving = true;
    this.#socket?.destroy();
  }

  /** From now on a slow reader reads at full speed. */
  readFast(): void {
    this.#socket?.readFast();
  }

  /** Counts the messages and bad lines that have no reply at the end. */
  settle(): void {
    const { counts } = this.#shared.stats;
    if (this.#shared.seq) counts.unconfirmed += this.#leaveUnanswered();
    counts.badWrong += this.#bad.clear();
  }

  get #hasRoom(): boolean {
    const { linesPerWrite, window } = this.#shared;
    return (
      this.open && !this.#socket?.full && this.unconfirmed + linesPerWrite <= Math.max(window, linesPerWrite)
    );
  }

  #write(dueUs: number): void {
    const { linesPerWrite, seq, stats, clock } = this.#shared;
    const { bytes, messages } = this.#blocks.next(dueUs);
    if (messages > 0 && seq) this.#pending.push(this.ledger.next - 1, dueUs);
    if (dueUs >= stats.measureFromUs && !this.slow)
      stats.written.record(clock.nowUs() - dueUs, linesPerWrite);
    this.#socket?.write(bytes);
  }

  #think(thinkMs: number): void {
    this.#thinking = true;
    // Otherwise the next reply begins the pause.
    if (this.unconfirmed === 0) this.#thinkFor(thinkMs);
  }

  #thinkFor(thinkMs: number): void {
    setTimeout(() => {
      this.#thinking = false;
      this.pump();
    }, thinkMs).unref();
  }

  #onConnect(): void {
    this.#connected = true;
    this.#connections++;
    this.#shared.stats.counts.connects++;
    this.#lines.connected(this.#connections);
    this.#pending = new PendingWrites(this.ledger.next);
    if (this.#shared.plain) this.#onIdentified();
    else this.#socket?.write(this.#identify);
  }

  #onReply(reply: Reply): void {
    if (reply.status === 'stored') this.#onStored(reply.seq ?? -1);
    else if (reply.status === 'error') this.#onRefused(reply.code ?? 'unknown', reply.seq);
    else if (reply.status === 'identified') this.#onIdentified();
    else if (reply.status === 'closing') this.#shared.stats.codes.add(reply.code ?? 'closing');
    this.#retryMs = reply.reconnect_after_ms ?? this.#retryMs;
  }

  #onIdentified(): void {
    this.#identified = true;
    this.#isAwayAsPlanned = this.#leaving;
    this.#retryMs = FIRST_RETRY_MS;
    this.#shared.stats.counts.open++;
    if (this.#leaving) this.leave();
    else this.pump();
  }

  #onStored(seq: number): void {
    const { stats, clock, thinkMs } = this.#shared;
    const nowUs = clock.nowUs();
    stats.counts.confirmed += this.#pending.confirm(seq, (dueUs, messages) => {
      if (dueUs >= stats.measureFromUs && !this.slow) stats.confirmed.record(nowUs - dueUs, messages);
    });
    this.#afterAnswer(thinkMs);
  }

  #onRefused(code: string, seq: number | undefined): void {
    const { stats, thinkMs, seq: asks } = this.#shared;
    stats.codes.add(code);
    if (seq !== undefined && asks) {
      if (!this.ledger.refuse(seq)) return;
      stats.counts.refused++;
      // Refused after `stored`: Kafka rejected the record later.
      if (seq <= this.#pending.confirmed) stats.counts.confirmed--;
      else this.#pending.refuse(seq);
      this.#afterAnswer(thinkMs);
      return;
    }
    const passedOver = this.#bad.answered(code);
    if (passedOver !== undefined) {
      stats.counts.badRefused++;
      stats.counts.badWrong += passedOver;
    } else if (code === 'queue_full' || code === 'record_too_large') {
      stats.counts.refused++;
      this.ledger.refusedUnknown++;
    }
  }

  #afterAnswer(thinkMs: number | undefined): void {
    if (this.unconfirmed === 0) {
      if (this.#leaving) this.#socket?.end();
      else if (this.#thinking && thinkMs !== undefined) this.#thinkFor(thinkMs);
    }
    this.pump();
  }

  #onClose(): void {
    const { stats, staying, random } = this.#shared;
    const { counts } = stats;
    if (this.#identified) counts.open--;
    const asked = this.#leaving && this.#identified && this.unconfirmed === 0;
    if (this.#connected && !asked && !(this.#leaving && !staying)) counts.breaks++;
    if (this.#shared.seq) counts.unanswered += this.#leaveUnanswered();
    if (asked) counts.badWrong += this.#bad.clear();
    else this.#bad.clear();
    this.#socket = undefined;
    this.#connected = false;
    this.#identified = false;
    this.#leaving = false;
    this.#thinking = false;
    if (!staying) return;
    if (asked) {
      this.connect();
      return;
    }
    this.#timer = setTimeout(() => this.connect(), this.#retryMs * (0.5 + random()));
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
  }

  /** Returns how many messages will never get a reply. */
  #leaveUnanswered(): number {
    const count = this.ledger.leaveUnanswered(this.#pending.confirmed + 1);
    this.#pending = new PendingWrites(this.ledger.next);
    return count;
  }
}
