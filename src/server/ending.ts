// How a connection ends: its state, from the device's FIN or the order to go until the socket is closed. It sends the last
// reply, but never decides why: the connection does. Its deadlines are `linger`, `refusal`, `kick` and `parting`.
import type { CloseReason } from '../protocol/close-reasons.ts';
import type { JobSink, Session } from '../queue/job.ts';
import type { ByteSource } from './byte-source.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { Replies } from './device-replies.ts';
import type { LineInput } from './line-input.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';
import { afterFinTurns, type EndedBy } from './settlement.ts';

type State =
  | { readonly name: 'open' }
  /** FIN came. Lines before it are not all taken. */
  | { readonly name: 'half-closed' }
  /** FIN came and all lines are taken. Replies are still due. */
  | { readonly name: 'answering' }
  /** Nothing more is read. The last reply is sent once all lines are handled and no `stored` is due. */
  | { readonly name: 'departing' }
  /** It may not identify. Nothing is read, and the refusal is sent later. */
  | { readonly name: 'refused'; readonly reply: string }
  /** The last reply was written. Input is thrown away, for a while and up to a limit. */
  | { readonly name: 'closing'; discardedBytes: number }
  | { readonly name: 'closed' };

const OPEN: State = { name: 'open' };
const HALF_CLOSED: State = { name: 'half-closed' };
const ANSWERING: State = { name: 'answering' };
const DEPARTING: State = { name: 'departing' };
const CLOSED: State = { name: 'closed' };

// After the last reply the connection stays open for a while and throws away up to 4 MiB of input: a close with unread
// input sends a reset, which may overtake the reply.
const LINGER_MS = 2000;
const LINGER_BYTES = 4 * 1024 * 1024;
/** A guess of a token is answered after a time in this range: guessers in step would cost the others a whole turn. */
const REFUSAL_DELAY_MS = { min: 1000, max: 1500 };
/** An operator closes the connection: its lines get this long to be handled and answered. */
const KICK_GRACE_MS = 5000;
/** After FIN a sender of plain lines is read for this long: in all, and without a byte. */
const PARTING_MS = { most: 5000, silent: 2000 };

/** The last reply, and why the connection ends with it. */
export interface Farewell {
  readonly reason: CloseReason;
  readonly reply: string | undefined;
}

const OF_DEVICE: Farewell = { reason: 'device_end', reply: undefined };

/** The connection as its end sees it. */
export interface EndingParts extends Session {
  /** Its sink forgets the session. */
  readonly host: { readonly sink: JobSink };
  readonly source: ByteSource;
  readonly input: LineInput;
  readonly replies: Replies;
  readonly readPauses: ReadPauses;
  readonly deadlines: Deadlines;
  /** The memory of the connection has changed. */
  charge(): void;
  /** The end has begun, or the device has closed its side. */
  ended(by: EndedBy): void;
}

export class Ending {
  /** Why the connection ends, once that is known. */
  reason: CloseReason = 'reset';
  readonly #parts: EndingParts;
  #state: State = OPEN;
  /** Sent once all lines are answered. */
  #farewell = OF_DEVICE;
  #hasBegun = false;
  #isParting = false;
  /** On the wheel's clock. */
  #partsUntilMs = 0;

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  /** Neither has the device ended it, nor was it told to go. */
  get isOpen(): boolean {
    return this.#state === OPEN;
  }

  get isHalfClosed(): boolean {
    return this.#state === HALF_CLOSED;
  }

  /** No further line and no further reply: the last reply is decided, or nobody is there to read it. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** FIN came. */
  halfClose(): void {
    this.#state = HALF_CLOSED;
    this.#parts.ended('device');
  }

  /** After FIN: all lines are taken. */
  allTaken(): void {
    this.#parts.deadlines.clear('line');
    this.#state = ANSWERING;
  }

  /**
   * Reads nothing more, and ends with this once all lines are answered. To a sender of plain lines it sends FIN, the only
   * word that it understands, and reads on for a while: the sender ends its side, and its last lines are not lost.
   */
  depart(farewell: Farewell): void {
    const { plain, replies } = this.#parts;
    // A sender of plain lines hears nothing but our FIN.
    if (plain === undefined || this.#state !== OPEN) {
      this.#leaveSoon(farewell);
      return;
    }
    if (this.#isParting) return;
    this.#farewell = farewell;
    this.#isParting = true;
    replies.end();
    this.#waitForParting();
  }

  /** depart(), because of an operator and within a time. */
  kick(farewell: Farewell): void {
    this.#parts.deadlines.set('kick', KICK_GRACE_MS);
    this.depart(farewell);
  }

  get canBeKicked(): boolean {
    return !this.#hasBegun && !this.#parts.deadlines.isSet('kick');
  }

  /** Bytes came before the end has begun. */
  heard(): void {
    if (!this.#isParting) return;
    const { deadlines } = this.#parts;
    const leftMs = this.#partsUntilMs - deadlines.nowMs;
    deadlines.set('parting', Math.max(0, Math.min(leftMs, PARTING_MS.silent)));
  }

  /** Reads nothing more after our FIN. */
  stopReading(): void {
    if (this.#isParting) this.#leaveSoon(this.#farewell);
  }

  /** A deadline has passed. False if it is not one of the end and still counts. */
  onDeadline(deadline: Deadline): boolean {
    if (this.#hasBegun) {
      if (deadline === 'linger') this.#parts.source.destroy();
      else if (deadline === 'refusal') this.sendRefusal();
      return true;
    }
    if (deadline === 'kick') this.#leaveNow();
    // Its last lines are in the kernel's buffer, and the gateway has not read them.
    else if (deadline === 'parting' && this.#parts.readPauses.has(PAUSE.queue)) this.#waitForParting();
    else if (deadline === 'parting') this.stopReading();
    else return false;
    return true;
  }

  /** After FIN or the order to go: the end, if no line and no reply is due. */
  beginWhenAnswered(): void {
    const state = this.#state;
    const { input, replies: due } = this.#parts;
    const allTaken = state === ANSWERING || (state === DEPARTING && input.framer.isEmpty);
    if (allTaken && input.pendingJobs === 0 && !due.areDue) this.#leaveNow();
  }

  /** Sends the last reply, then FIN. */
  begin(reason: CloseReason, reply?: string): void {
    const { source, deadlines } = this.#parts;
    this.reason = reason;
    this.#leave({ name: 'closing', discardedBytes: 0 });
    // Our FIN is long sent, so a reset can overtake nothing. Of a sender that goes on, lingering would lose more lines.
    if (this.#isParting) {
      source.destroy();
      return;
    }
    deadlines.set('linger', LINGER_MS);
    if (reason === 'replaced') {
      // Until then lines may be refused that it does not hear of, and it must not take them for stored.
      this.#parts.replies.close();
      source.resume();
      // A device may answer its replacement with FIN at once. A FIN that counts has to come before it can have read this reply:
      // otherwise no such takeover would count, and two devices with one id could take each other's place without end.
      afterFinTurns(() => this.#sendLast(reply));
    } else {
      this.#sendLast(reply);
      source.resume();
    }
  }

  #sendLast(reply: string | undefined): void {
    if (this.#state === CLOSED || this.#parts.source.destroyed) return;
    this.#parts.replies.end(reply);
    this.#parts.charge();
  }

  /** The device may not identify: it is told so after a while. */
  beginRefused(reply: string): void {
    const { source, deadlines } = this.#parts;
    const { min, max } = REFUSAL_DELAY_MS;
    this.reason = 'unauthorized';
    this.#leave({ name: 'refused', reply });
    source.pause();
    this.#parts.charge();
    deadlines.set('refusal', min + Math.random() * (max - min));
  }

  /** Sends the refusal that waits, if one does. */
  sendRefusal(): void {
    if (this.#state.name === 'refused') this.begin('unauthorized', this.#state.reply);
  }

  /** Bytes came after the end. */
  discard(bytes: number): void {
    if (this.#state.name !== 'closing') return;
    this.#state.discardedBytes += bytes;
    if (this.#state.discardedBytes > LINGER_BYTES) this.#parts.source.destroy();
  }

  /** The socket is closed. */
  closed(): void {
    this.#leave(CLOSED);
    this.#parts.replies.clear();
  }

  #waitForParting(): void {
    const { deadlines } = this.#parts;
    this.#partsUntilMs = deadlines.nowMs + PARTING_MS.most;
    deadlines.set('parting', PARTING_MS.silent);
  }

  #leaveSoon(farewell: Farewell): void {
    this.#farewell = farewell;
    if (this.#state === OPEN) {
      this.#state = DEPARTING;
      this.#parts.readPauses.begin(PAUSE.departing);
      this.#parts.ended('gateway');
    }
    this.beginWhenAnswered();
  }

  /** Although lines may not be answered. */
  #leaveNow(): void {
    this.begin(this.#farewell.reason, this.#farewell.reply);
  }

  #leave(state: State): void {
    const { host, deadlines, readPauses, input } = this.#parts;
    this.#state = state;
    this.#hasBegun = true;
    host.sink.forget(this.#parts);
    deadlines.clearAll();
    readPauses.clear();
    input.clear();
    this.#parts.ended(state === CLOSED ? 'device' : 'gateway');
  }
}
