// One connection of a device, or of a sender of plain lines (manner.ts), as workers, the server, the memory budget and the
// byte source see it. It wires its parts: bytes become jobs in line-intake.ts, replies are in device-replies.ts, refusals in
// refusals.ts, waiting for the peer is in patience.ts, the end in ending.ts. read-pauses.ts says why it is not read.
//
// A process has thousands of them, nearly all silent. So the parts find each other through the connection instead of
// closures or lists of their own, and those that most connections never need are made when they are needed
// (docs/decisions/0082).
import type { CloseReason } from '../protocol/close-reasons.ts';
import type { ClosingCode, Code, FatalCode } from '../protocol/codes.ts';
import type { Identify } from '../protocol/messages.ts';
import type { PlainLines } from '../protocol/plain-lines.ts';
import type { RecordFrame } from '../protocol/record-frame.ts';
import * as replies from '../protocol/replies.ts';
import type { Lane, LineBytes, Refusal, Session } from '../queue/job.ts';
import type { Grant } from '../tokens/token-table.ts';
import type { ByteSource, SourceTaker } from './byte-source.ts';
import type { ConnectionStage, ServedConnection } from './connection-facts.ts';
import type { ConnectionHost } from './connection-host.ts';
import { type Deadline, type DeadlineOwner, Deadlines } from './deadlines.ts';
import type { Replies, RepliesParts } from './device-replies.ts';
import { Ending, type EndingParts } from './ending.ts';
import { judgeIdentify } from './identification.ts';
import { LineInput, type LineInputOwner } from './line-input.ts';
import { type IntakeParts, LineIntake } from './line-intake.ts';
import { DEVICE_MANNER } from './manner.ts';
import { MaxAge } from './max-age.ts';
import type { MemoryHolder } from './memory-budget.ts';
import { Patience, type PatienceParts } from './patience.ts';
import { PAUSE, ReadPauses } from './read-pauses.ts';
import { Refusals } from './refusals.ts';
import { type EndedBy, Settlement, type SettlementParts } from './settlement.ts';
import type { Slab } from './slabs.ts';
import { Slowdown, type SlowdownParts, TOO_MANY_ERRORS_MS } from './slowdown.ts';
import type { Admitted } from './stage.ts';

const SLOW_READER = 'the replies are not being read';
/** A connection that holds much memory gets this long to free some of it. */
const OVERLOADED_MS = 5000;
const KICKED = 'an operator closed this connection';
/** An identify with all its fields has less than 2 KiB. */
const MAX_IDENTIFY_BYTES = 8 * 1024;

/** The connection as its parts see it. */
type OfParts = DeadlineOwner &
  LineInputOwner &
  RepliesParts &
  EndingParts &
  IntakeParts &
  PatienceParts &
  SettlementParts &
  SlowdownParts;

export class Connection implements ServedConnection, Session, MemoryHolder, SourceTaker, OfParts {
  readonly id: string;
  readonly remoteAddress: string;
  /** That of the ledger's events, which may come long after it was closed. */
  number: number | undefined;
  partition = -1;
  generation = -1;
  lane: Lane | undefined;
  lastSeq = -1;
  resumedSeq = -1;
  chargedBytes = 0;
  sizeClass = -1;
  /** Undefined until the device has identified, and if it has none. */
  deviceId: string | undefined;
  /** The token that the device identified with. Undefined if none was needed. */
  grant: Grant | undefined;
  readonly plain: PlainLines | undefined;
  /** Monotonic milliseconds. */
  readonly openedAtMs = Math.trunc(performance.now());
  receivedBytes = 0;

  // The parts, for each other.
  readonly host: ConnectionHost<Connection>;
  readonly source: ByteSource;
  readonly input: LineInput;
  readonly replies: Replies;
  readonly readPauses: ReadPauses;
  readonly deadlines: Deadlines;
  readonly ending: Ending;
  readonly refusals: Refusals<Connection>;
  slowdown: Slowdown | undefined;

  readonly #certifiedId: string | undefined;
  readonly #intake: LineIntake;
  readonly #patience: Patience;
  readonly #maxAge: MaxAge | undefined;
  #settlement: Settlement | undefined;
  #frame: RecordFrame | undefined;
  #wasWarned = false;

  constructor(host: ConnectionHost<Connection>, admitted: Admitted) {
    const { id, source, address, certifiedId, port } = admitted;
    const manner = port?.manner ?? DEVICE_MANNER;
    const { options, counters } = host;
    const { maxLineBytes, maxIdentifyBytes = MAX_IDENTIFY_BYTES } = options;
    this.id = id;
    this.remoteAddress = address;
    this.host = host;
    this.source = source;
    this.#certifiedId = certifiedId;
    this.plain = manner.plain;
    this.#frame = manner.frameOf(id, address);
    this.input = new LineInput(manner.framer({ maxLineBytes, maxIdentifyBytes }), this);
    this.readPauses = new ReadPauses(source, counters);
    this.deadlines = new Deadlines(host.wheel, this);
    this.slowdown = Slowdown.ifNeeded(options, this);
    this.replies = manner.repliesOf(this);
    this.ending = new Ending(this);
    this.refusals = new Refusals<Connection>(host, this);
    this.#intake = new LineIntake(this);
    this.#patience = new Patience(this);
    this.#maxAge = options.maxAgeMs > 0 ? new MaxAge(options.maxAgeMs, this.deadlines) : undefined;
    source.take(this);
    source.resume();
  }

  /** Once it has ended. */
  get closeReason(): CloseReason {
    return this.ending.reason;
  }

  get stage(): ConnectionStage {
    if (this.ending.hasBegun) return 'closing';
    if (this.plain !== undefined) return 'lines';
    return this.#frame === undefined ? 'identify' : 'identified';
  }

  get isTls(): boolean {
    return this.source.isTls;
  }

  get zipcode(): string | undefined {
    return this.#frame?.zipcode;
  }

  get city(): string | undefined {
    return this.#frame?.city;
  }

  get pauses(): number {
    return this.readPauses.reasons;
  }

  get receivedLines(): number {
    return this.#intake.receivedLines;
  }

  get refusedLines(): number {
    return this.refusals.lines;
  }

  get lastCode(): Code | ClosingCode | undefined {
    return this.refusals.lastCode;
  }

  /** The highest seq that is stored, -1 if none is. */
  get storedSeq(): number {
    return this.replies.storedSeq;
  }

  get frame(): RecordFrame | undefined {
    return this.#frame;
  }

  /** Lines that wait for room in the queue. */
  get heldLines(): number {
    const waits = this.readPauses.has(PAUSE.queue) || this.readPauses.has(PAUSE.ownJob);
    return waits ? this.input.framer.lines : 0;
  }

  // --- called by workers, queue and delivery ---

  identify(message: Identify, line: LineBytes): void {
    const { id: connectionId, remoteAddress } = this;
    const identifying = { connectionId, remoteAddress, certifiedId: this.#certifiedId };
    const answer = judgeIdentify(message, this.host, identifying);
    if ('refusal' in answer) {
      this.refuse(answer.refusal, line);
      return;
    }
    if ('denial' in answer) {
      this.refusals.deny(answer.denial, message, line);
      return;
    }
    this.accept();
    // The connection ended while its line was in the queue.
    if (this.ending.hasBegun) return;
    const { frame, deviceId, grant } = answer;
    this.deviceId = deviceId;
    this.grant = grant;
    this.#frame = frame;
    this.input.framer.maxLineBytes = this.host.options.maxLineBytes;
    this.#patience.endIdentify();
    this.#intake.setMaxJobs();
    // The answer is resumed(). Until then no line is taken.
    const resumes = message.resume === true;
    if (resumes) this.readPauses.begin(PAUSE.resuming);
    this.host.identified(this, resumes);
    if (!resumes) this.#reply(replies.identified(this.id));
    if (deviceId !== undefined) this.#settling().watch();
  }

  accept(): void {
    this.host.counters.linesAccepted++;
    if (this.plain !== undefined) this.host.counters.plainLines.accepted++;
  }

  refuse(refusal: Refusal, line: LineBytes): void {
    this.refusals.answerLine(refusal, line);
    // A full queue is no fault of the device.
    if (refusal.code === 'queue_full') this.#settling().lineDropped();
    else if (!this.ending.hasBegun) {
      this.chargeRefusal();
      this.#intake.setMaxJobs();
    }
  }

  alive(): void {
    this.#reply(replies.ALIVE);
  }

  time(): void {
    this.#reply(replies.time(Date.now()));
  }

  warnUnknownField(field: string, seq: number | undefined): void {
    if (this.#wasWarned || !this.host.options.warnsUnknownFields || this.ending.hasBegun) return;
    this.#wasWarned = true;
    this.host.counters.warnings++;
    this.#reply(replies.unknownField(field, seq));
  }

  expectStored(seq: number): void {
    this.replies.expectStored(seq);
  }

  alreadyStored(seq: number): void {
    this.host.counters.linesAlreadyStored++;
    this.replies.alreadyStored(seq);
  }

  stored(seq: number): void {
    this.replies.stored(seq);
    this.ending.beginWhenAnswered();
    this.#settlement?.check();
  }

  done(): void {
    if (!this.input.jobDone()) return;
    if (!this.ending.isOpen || this.readPauses.reasons !== 0 || this.#frame === undefined) this.#afterJob();
  }

  onRoom(): void {
    if (!this.readPauses.has(PAUSE.queue)) return;
    this.readPauses.end(PAUSE.queue);
    this.goOn();
  }

  // --- called by the server ---

  /** Refuses the connection: the reply, then the end. False if it is ending already. */
  close(code: FatalCode, message: string): boolean {
    return this.refusals.close(code, message);
  }

  /** Another connection has the device_id, here or in another process. */
  replaced(message: string, reconnectAfterMs: number): void {
    if (!this.ending.hasBegun) this.refusals.answer('replaced', message, { reconnectAfterMs });
  }

  /** The answer to `resume`. @param storedSeq undefined = not known */
  resumed(storedSeq: number | undefined): void {
    // A stop ends the connection without it: its lines are not handled any more.
    if (!this.readPauses.has(PAUSE.resuming) || this.readPauses.has(PAUSE.stopping)) return;
    if (storedSeq !== undefined) {
      this.resumedSeq = storedSeq;
      this.lastSeq = storedSeq;
    }
    this.readPauses.end(PAUSE.resuming);
    this.#reply(replies.resumed(this.id, storedSeq));
    this.goOn();
  }

  /** Kafka refused a record of a message that was accepted. */
  refuseAccepted(code: Code, message: string, seq: number | undefined): void {
    this.refusals.answer(code, message, { seq });
  }

  /** Reads no further input. Lines already received are still handled, also those of a connection that is slowed down. */
  stopReading(): void {
    this.ending.sendRefusal();
    if (this.ending.hasBegun) return;
    this.readPauses.begin(PAUSE.stopping);
    this.#patience.endIdentify();
    this.#intake.setMaxJobs();
    this.ending.stopReading();
    if (this.readPauses.has(PAUSE.slowed)) this.onDeadline('slowed');
  }

  /** Reads nothing more, finishes the lines it has, and ends with `closing` once all of it is answered. */
  depart(code: ClosingCode, reconnectAfterMs: number): void {
    // After a FIN it ends by itself, and during a stop with all others.
    if (this.ending.isOpen && !this.readPauses.has(PAUSE.stopping)) {
      this.refusals.lastCode = code;
      this.ending.depart({ reason: code, reply: replies.closing(code, reconnectAfterMs) });
    }
  }

  get canBeKicked(): boolean {
    return this.ending.canBeKicked;
  }

  /** As depart(), because of an operator, and within a time. False if it is kicked or ending already. */
  kick(reconnectAfterMs: number): boolean {
    if (!this.canBeKicked) return false;
    this.refusals.count('kicked', KICKED);
    const reply = replies.refused('kicked', KICKED, { reconnectAfterMs });
    this.ending.kick({ reason: 'kicked', reply });
    return true;
  }

  /** The gateway stops. A sender of plain lines hears it by our FIN, and is read on for a while: true if this is one. */
  partForStop(): boolean {
    if (this.plain === undefined || !this.ending.isOpen) return false;
    this.refusals.lastCode = 'shutdown';
    this.ending.depart({ reason: 'shutdown', reply: undefined });
    return true;
  }

  /** Sends `closing` and ends. */
  shutdown(reconnectAfterMs: number): void {
    if (this.ending.hasBegun) return;
    this.refusals.lastCode = 'shutdown';
    this.ending.begin('shutdown', replies.closing('shutdown', reconnectAfterMs));
  }

  destroy(): void {
    this.source.destroy();
  }

  // --- called by the memory budget ---

  pauseForMemory(): void {
    if (this.ending.hasBegun) return;
    this.readPauses.begin(PAUSE.memory);
    this.deadlines.set('memory', OVERLOADED_MS);
  }

  resumeForMemory(): void {
    if (!this.readPauses.has(PAUSE.memory)) return;
    this.deadlines.clear('memory');
    this.readPauses.end(PAUSE.memory);
    this.goOn();
  }

  overloaded(): void {
    if (!this.ending.hasBegun) {
      this.host.limitReached(this, 'overloaded');
      if (!this.replies.isStuck) {
        this.close('overloaded', 'the gateway has no memory left for the bytes that this connection holds');
        return;
      }
      this.host.counters.refused.overloaded++;
      this.refusals.lastCode = 'overloaded';
      this.ending.reason = 'overloaded';
    }
    // A reply would wait behind those that the device does not read, and their memory would not be free.
    this.source.destroy();
    this.charge();
  }

  // --- called by the source ---

  onBytes(chunk: Uint8Array, slab: Slab | undefined): void {
    this.host.counters.receivedBytes += chunk.length;
    this.receivedBytes += chunk.length;
    if (this.ending.hasBegun) {
      this.ending.discard(chunk.length);
      this.charge();
      return;
    }
    this.#patience.heard();
    this.ending.heard();
    this.#received(this.#intake.take(chunk, slab));
  }

  onUnread(): void {
    this.charge();
  }

  onEnd(): void {
    if (!this.ending.isOpen) {
      this.ended('device');
      return;
    }
    this.#received(this.#intake.takeHeld());
    this.ending.halfClose();
    this.#finish();
  }

  onClose(): void {
    this.ending.closed();
    this.host.counters.closed[this.ending.reason]++;
    this.host.memory.forget(this);
    this.host.closed(this);
  }

  // --- called by its parts ---

  onDeadline(deadline: Deadline): void {
    if (this.ending.onDeadline(deadline) || this.#patience.onDeadline(deadline)) return;
    switch (deadline) {
      case 'replies':
        this.overflown();
        break;
      case 'errors':
        if (this.slowdown?.hasRecovered()) this.#intake.setMaxJobs();
        else this.#refuseAbuse();
        break;
      case 'memory':
        // If the line waits for the gateway, the device could free nothing.
        if (this.readPauses.has(PAUSE.queue) || this.readPauses.has(PAUSE.resuming))
          this.deadlines.set('memory', OVERLOADED_MS);
        else this.overloaded();
        break;
      case 'slowed':
        this.slowdown?.end();
        this.goOn();
        break;
      case 'age':
        this.#reachAge();
        break;
    }
  }

  /** Tells the budget how many bytes this connection holds. */
  charge(): void {
    const bytes = this.source.destroyed
      ? 0
      : this.input.heldBytes + this.replies.heldBytes + this.source.unreadBytes;
    if (bytes !== this.chargedBytes) this.host.memory.charge(this, bytes);
  }

  /** Takes the lines that had to wait, then reads again. */
  goOn(): void {
    if (this.ending.hasBegun) return;
    this.#intake.takeLines();
    this.#finish();
    this.input.settle();
    this.charge();
    if (!this.ending.isOpen || this.readPauses.reasons !== 0) return;
    this.#patience.heard();
    this.#intake.timeLine(true);
    this.source.resume();
  }

  /** More replies wait than a device may leave unread. */
  overflown(): void {
    this.close('slow_reader', SLOW_READER);
  }

  chargeRefusal(): void {
    this.slowdown ??= new Slowdown(this.host.options, this);
    this.slowdown.lineRefused();
  }

  ended(by: EndedBy): void {
    this.#settling().ended(by, this.ending.hasBegun);
  }

  tellEnded(by: EndedBy): void {
    this.host.ended(this, by);
  }

  tellSettled(storedSeq: number | undefined): void {
    this.host.settled(this, storedSeq);
  }

  // --- input ---

  #received(bytes: number): void {
    if (bytes === 0) return;
    // Replies and source charge when they grow. Looking at them at each read would cost as much as the line.
    if (this.chargedBytes > 0 || this.input.heldBytes > 0) this.charge();
    this.host.received(bytes);
  }

  #afterJob(): void {
    this.#settlement?.check();
    if (this.ending.hasBegun) return;
    this.#patience.lineJudged();
    if (!this.readPauses.has(PAUSE.ownJob)) this.#finish();
    else if (!this.#intake.isFull) {
      this.readPauses.end(PAUSE.ownJob);
      this.goOn();
    }
  }

  /** After FIN: takes the rest without LF once all lines before it are taken, and ends if nothing more is due. */
  #finish(): void {
    this.#intake.takeRest();
    this.ending.beginWhenAnswered();
  }

  // --- output ---

  #reply(text: string): void {
    if (!this.ending.hasBegun) this.replies.send(text);
  }

  // --- time and end ---

  #settling(): Settlement {
    this.#settlement ??= new Settlement(this);
    return this.#settlement;
  }

  #reachAge(): void {
    const { silentMs } = this.#patience;
    const { isMidLine } = this.input.framer;
    if (this.#maxAge?.isReached({ silentMs, isMidLine })) this.host.aged(this);
  }

  #refuseAbuse(): void {
    this.host.limitReached(this, 'too_many_errors');
    this.close('too_many_errors', `lines were refused again and again for ${TOO_MANY_ERRORS_MS} ms`);
  }
}
