// How a connection ends: its state, from the device's FIN or the order to go until the socket is closed. It sends the last
// reply, but never decides why: the connection does. Its deadlines are `linger` and `refusal`.
import type { CloseReason } from '../protocol/close-reasons.ts';
import type { JobSink, Session } from '../queue/job.ts';
import type { ByteSource } from './byte-source.ts';
import type { Deadlines } from './deadlines.ts';
import type { DeviceReplies } from './device-replies.ts';
import type { LineInput } from './line-input.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';

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

/** The last reply, and why the connection ends with it. */
export interface Farewell {
  readonly reason: CloseReason;
  readonly reply: string | undefined;
}

const OF_DEVICE: Farewell = { reason: 'device_end', reply: undefined };

export interface EndingParts {
  readonly session: Session;
  /** Forgets the session. */
  readonly sink: JobSink;
  readonly source: ByteSource;
  readonly input: LineInput;
  readonly replies: DeviceReplies;
  readonly pauses: ReadPauses;
  readonly deadlines: Deadlines;
  /** The memory of the connection has changed. */
  readonly charge: () => void;
}

export class Ending {
  /** Why the connection ends, once that is known. */
  reason: CloseReason = 'reset';
  readonly #parts: EndingParts;
  #state: State = OPEN;
  /** Sent once all lines are answered. */
  #farewell = OF_DEVICE;
  #hasBegun = false;

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
  }

  /** After FIN: all lines are taken. */
  allTaken(): void {
    this.#parts.deadlines.clear('line');
    this.#state = ANSWERING;
  }

  /** Reads nothing more, and ends with this once all lines are answered. */
  depart(farewell: Farewell): void {
    this.#farewell = farewell;
    if (this.#state === OPEN) {
      this.#state = DEPARTING;
      this.#parts.pauses.begin(PAUSE.departing);
    }
    this.beginWhenAnswered();
  }

  /** Ends although lines are not answered. */
  departNow(): void {
    this.begin(this.#farewell.reason, this.#farewell.reply);
  }

  /** After FIN or the order to go: the end, if no line and no reply is due. */
  beginWhenAnswered(): void {
    const state = this.#state;
    const { input, replies: due } = this.#parts;
    const allTaken = state === ANSWERING || (state === DEPARTING && input.framer.isEmpty);
    if (allTaken && input.pendingJobs === 0 && !due.areDue) this.departNow();
  }

  /** Sends the last reply, then FIN. */
  begin(reason: CloseReason, reply?: string): void {
    const { source, deadlines, charge } = this.#parts;
    this.reason = reason;
    this.#leave({ name: 'closing', discardedBytes: 0 });
    this.#parts.replies.end(reply);
    charge();
    deadlines.set('linger', LINGER_MS);
    source.resume();
  }

  /** The device may not identify: it is told so after a while. */
  beginRefused(reply: string): void {
    const { source, deadlines, charge } = this.#parts;
    const { min, max } = REFUSAL_DELAY_MS;
    this.reason = 'unauthorized';
    this.#leave({ name: 'refused', reply });
    source.pause();
    charge();
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

  #leave(state: State): void {
    const { session, sink, deadlines, pauses, input } = this.#parts;
    this.#state = state;
    this.#hasBegun = true;
    sink.forget(session);
    deadlines.clearAll();
    pauses.clear();
    input.clear();
  }
}
