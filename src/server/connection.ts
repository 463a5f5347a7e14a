// One connection of a device, as workers, the server, the memory budget and the byte source see it. Workers decide what a
// line means. Its bytes become jobs in line-intake.ts, its end is in ending.ts, its replies are in device-replies.ts. Why it
// is not read at times is in read-pauses.ts and slowdown.ts.
import type { CloseReason } from '../protocol/close-reasons.ts';
import { type ClosingCode, type Code, type FatalCode, isFatal } from '../protocol/codes.ts';
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { Identify } from '../protocol/messages.ts';
import { RecordFrame } from '../protocol/record-frame.ts';
import * as replies from '../protocol/replies.ts';
import { UNAUTHORIZED } from '../protocol/unauthorized.ts';
import type { Lane, LineBytes, Refusal } from '../queue/job.ts';
import type { Grant } from '../tokens/token-table.ts';
import type { ByteSource, SourceTaker } from './byte-source.ts';
import type { ConnectionStage, ServedConnection } from './connection-facts.ts';
import type { ConnectionHost } from './connection-host.ts';
import { type Deadline, Deadlines } from './deadlines.ts';
import type { Denial } from './device-access.ts';
import { DeviceReplies } from './device-replies.ts';
import { Ending } from './ending.ts';
import { LineInput } from './line-input.ts';
import { type IntakeSession, LineIntake } from './line-intake.ts';
import { MaxAge } from './max-age.ts';
import type { MemoryHolder } from './memory-budget.ts';
import { PAUSE, ReadPauses } from './read-pauses.ts';
import type { Slab } from './slabs.ts';
import { Slowdown, TOO_MANY_ERRORS_MS } from './slowdown.ts';
import type { Admitted } from './stage.ts';

const SLOW_READER = 'the replies are not being read';
const TOO_FAST = 'lines come faster than this gateway allows, so it reads them more slowly';
/** A connection that holds much memory gets this long to free some of it. */
const OVERLOADED_MS = 5000;
/** An operator closes the connection: its lines get this long to be handled and answered. */
const KICK_GRACE_MS = 5000;
const KICKED = 'an operator closed this connection';
/** An identify with all its fields has less than 2 KiB. */
const MAX_IDENTIFY_BYTES = 8 * 1024;

export class Connection implements ServedConnection, IntakeSession, MemoryHolder, SourceTaker {
  readonly id: string;
  readonly remoteAddress: string;
  partition = -1;
  generation = -1;
  lane: Lane | undefined;
  lastSeq = -1;
  chargedBytes = 0;
  sizeClass = -1;
  /** Undefined until the device has identified, and if it has none. */
  deviceId: string | undefined;
  /** The token that the device identified with. Undefined if none was needed. */
  grant: Grant | undefined;
  /** Monotonic milliseconds. */
  readonly openedAtMs = performance.now();
  receivedBytes = 0;
  refusedLines = 0;
  lastCode: Code | ClosingCode | undefined;

  readonly #host: ConnectionHost<Connection>;
  readonly #source: ByteSource;
  readonly #certifiedId: string | undefined;
  readonly #input: LineInput;
  readonly #replies: DeviceReplies;
  readonly #pauses: ReadPauses;
  readonly #deadlines: Deadlines;
  readonly #slowdown: Slowdown;
  readonly #intake: LineIntake;
  readonly #ending: Ending;
  readonly #maxAge: MaxAge | undefined;
  #frame: RecordFrame | undefined;
  #isIdentifyOverdue = false;

  constructor(host: ConnectionHost<Connection>, { id, source, address, certifiedId }: Admitted) {
    this.id = id;
    this.#host = host;
    this.remoteAddress = address;
    this.#source = source;
    this.#certifiedId = certifiedId;
    const { options, sink, counters } = host;
    const charge = () => this.#charge();
    const input = new LineInput(Math.min(MAX_IDENTIFY_BYTES, options.maxLineBytes), charge);
    const pauses = new ReadPauses(source, counters);
    const deadlines = new Deadlines(host.wheel, (deadline) => this.#onDeadline(deadline));
    const slowdown = new Slowdown(options, { deadlines, pauses });
    this.#input = input;
    this.#pauses = pauses;
    this.#deadlines = deadlines;
    this.#slowdown = slowdown;
    this.#replies = new DeviceReplies({
      source,
      flush: host.replyFlush,
      pauses,
      deadlines,
      charge,
      goOn: () => this.#goOn(),
      overflown: () => this.close('slow_reader', SLOW_READER),
    });
    const parts = {
      session: this,
      sink,
      source,
      counters,
      lineTimeoutMs: options.lineTimeoutMs,
      input,
      replies: this.#replies,
      pauses,
      deadlines,
      slowdown,
      charge,
    };
    this.#ending = new Ending(parts);
    this.#intake = new LineIntake(parts, this.#ending);
    deadlines.set('identify', options.identifyTimeoutMs);
    deadlines.set('inactive', options.inactivityTimeoutMs);
    this.#maxAge = options.maxAgeMs > 0 ? new MaxAge(options.maxAgeMs, deadlines) : undefined;
    source.take(this);
    source.resume();
  }

  /** Once it has ended. */
  get closeReason(): CloseReason {
    return this.#ending.reason;
  }

  get stage(): ConnectionStage {
    if (this.#ending.hasBegun) return 'closing';
    return this.#frame === undefined ? 'identify' : 'identified';
  }

  get isTls(): boolean {
    return this.#source.isTls;
  }

  get zipcode(): string | undefined {
    return this.#frame?.zipcode;
  }

  get city(): string | undefined {
    return this.#frame?.city;
  }

  get pauses(): number {
    return this.#pauses.reasons;
  }

  get receivedLines(): number {
    return this.#intake.receivedLines;
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

  identify(message: Identify, line: LineBytes): void {
    const answer = this.#host.authorize(message, this.#certifiedId);
    if ('reason' in answer) {
      this.#deny(answer, message, line);
      return;
    }
    this.accept();
    // The connection ended while its line was in the queue.
    if (this.#ending.hasBegun) return;
    const { zipcode, city } = message;
    const { deviceId, grant } = answer;
    const { options } = this.#host;
    this.deviceId = deviceId;
    this.grant = grant;
    this.#frame = new RecordFrame({ connectionId: this.id, zipcode, city, deviceId });
    this.#input.framer.maxLineBytes = options.maxLineBytes;
    this.#deadlines.clear('identify');
    this.#intake.setMaxJobs();
    this.#host.identified(this);
    this.#reply(replies.identified(this.id));
  }

  accept(): void {
    this.#host.counters.linesAccepted++;
  }

  refuse({ code, message, seq }: Refusal, line: LineBytes): void {
    this.#countRefusedLine();
    this.#answer(code, message, { seq }, line);
    // A full queue is no fault of the device.
    if (code === 'queue_full' || this.#ending.hasBegun) return;
    this.#slowdown.lineRefused();
    this.#intake.setMaxJobs();
  }

  alive(): void {
    this.#reply(replies.ALIVE);
  }

  expectStored(seq: number): void {
    this.#replies.expectStored(seq);
  }

  stored(seq: number): void {
    this.#replies.stored(seq);
    this.#ending.beginWhenAnswered();
  }

  done(): void {
    if (!this.#input.jobDone()) return;
    if (!this.#ending.isOpen || this.#pauses.reasons !== 0 || this.#frame === undefined) this.#afterJob();
  }

  onRoom(): void {
    if (!this.#pauses.has(PAUSE.queue)) return;
    this.#pauses.end(PAUSE.queue);
    this.#goOn();
  }

  // --- called by the server ---

  /** Refuses the connection: the reply, then the end. False if it is ending already. */
  close(code: FatalCode, message: string, line?: LineBytes): boolean {
    if (this.#ending.hasBegun) return false;
    this.#answer(code, message, {}, line);
    return true;
  }

  /** Another connection has the device_id, here or in another process. */
  replaced(message: string, reconnectAfterMs: number): void {
    if (!this.#ending.hasBegun) this.#answer('replaced', message, { reconnectAfterMs });
  }

  /** Kafka refused a record of a message that was accepted. */
  refuseAccepted(code: Code, message: string, seq: number | undefined): void {
    this.#answer(code, message, { seq });
  }

  /** Reads no further input. Lines already received are still handled, also those of a connection that is slowed down. */
  stopReading(): void {
    this.#ending.sendRefusal();
    if (this.#ending.hasBegun) return;
    this.#pauses.begin(PAUSE.stopping);
    this.#deadlines.clear('identify');
    this.#intake.setMaxJobs();
    if (this.#pauses.has(PAUSE.slowed)) this.#onDeadline('slowed');
  }

  /** Reads nothing more, finishes the lines it has, and ends with `closing` once all of it is answered. */
  depart(code: ClosingCode, reconnectAfterMs: number): void {
    // After a FIN it ends by itself, and during a stop with all others.
    if (this.#ending.isOpen && !this.#pauses.has(PAUSE.stopping)) {
      this.lastCode = code;
      this.#ending.depart({ reason: code, reply: replies.closing(code, reconnectAfterMs) });
    }
  }

  get canBeKicked(): boolean {
    return !this.#ending.hasBegun && !this.#deadlines.isSet('kick');
  }

  /** As depart(), because of an operator, and within a time. False if it is kicked or ending already. */
  kick(reconnectAfterMs: number): boolean {
    if (!this.canBeKicked) return false;
    this.#countRefusal('kicked', KICKED);
    this.#deadlines.set('kick', KICK_GRACE_MS);
    const reply = replies.refused('kicked', KICKED, { reconnectAfterMs });
    this.#ending.depart({ reason: 'kicked', reply });
    return true;
  }

  /** Sends `closing` and ends. */
  shutdown(reconnectAfterMs: number): void {
    if (this.#ending.hasBegun) return;
    this.lastCode = 'shutdown';
    this.#ending.begin('shutdown', replies.closing('shutdown', reconnectAfterMs));
  }

  destroy(): void {
    this.#source.destroy();
  }

  // --- called by the memory budget ---

  pauseForMemory(): void {
    if (this.#ending.hasBegun) return;
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
    if (!this.#ending.hasBegun) {
      this.#host.limitReached(this, 'overloaded');
      if (!this.#replies.isStuck) {
        this.close('overloaded', 'the gateway has no memory left for the bytes that this connection holds');
        return;
      }
      this.#host.counters.refused.overloaded++;
      this.lastCode = 'overloaded';
      this.#ending.reason = 'overloaded';
    }
    // A reply would wait behind those that the device does not read, and their memory would not be free.
    this.#source.destroy();
    this.#charge();
  }

  // --- called by the source ---

  onBytes(chunk: Uint8Array, slab: Slab | undefined): void {
    this.#host.counters.receivedBytes += chunk.length;
    this.receivedBytes += chunk.length;
    if (this.#ending.hasBegun) {
      this.#ending.discard(chunk.length);
      this.#charge();
      return;
    }
    this.#deadlines.set('inactive', this.#host.options.inactivityTimeoutMs);
    this.#received(this.#intake.take(chunk, slab));
  }

  onUnread(): void {
    this.#charge();
  }

  onEnd(): void {
    if (!this.#ending.isOpen) return;
    this.#received(this.#intake.takeHeld());
    this.#ending.halfClose();
    this.#finish();
  }

  onClose(): void {
    this.#ending.closed();
    this.#host.counters.closed[this.#ending.reason]++;
    this.#host.memory.forget(this);
    this.#host.closed(this);
  }

  // --- called by the intake ---

  wrongProtocol(protocol: ForeignProtocol, line: LineBytes): void {
    this.#host.wrongProtocol(this, protocol);
    this.close('wrong_protocol', `this is a port for lines of JSON, and these bytes are ${protocol}`, line);
  }

  lineTooLong(): void {
    this.#countRefusedLine();
    const kind = this.#frame === undefined ? 'an identify line' : 'a line';
    const { framer } = this.#input;
    this.close('line_too_long', `${kind} has at most ${framer.maxLineBytes} bytes`, framer);
  }

  rateLimited(): void {
    this.#answer('rate_limited', TOO_FAST);
  }

  // --- input ---

  #received(bytes: number): void {
    if (bytes === 0) return;
    this.#charge();
    this.#host.received(bytes);
  }

  #afterJob(): void {
    if (this.#ending.hasBegun) return;
    if (this.#isIdentifyOverdue && this.#frame === undefined) this.#onDeadline('identify');
    if (!this.#pauses.has(PAUSE.ownJob)) this.#finish();
    else if (!this.#intake.isFull) {
      this.#pauses.end(PAUSE.ownJob);
      this.#goOn();
    }
  }

  /** Takes the lines that had to wait, then reads again. */
  #goOn(): void {
    if (this.#ending.hasBegun) return;
    this.#intake.takeLines();
    this.#finish();
    this.#input.settle();
    this.#charge();
    if (!this.#ending.isOpen || this.#pauses.reasons !== 0) return;
    // The device was not silent: the gateway did not read it.
    this.#deadlines.set('inactive', this.#host.options.inactivityTimeoutMs);
    this.#intake.timeLine(true);
    this.#source.resume();
  }

  /** After FIN: takes the rest without LF once all lines before it are taken, and ends if nothing more is due. */
  #finish(): void {
    this.#intake.takeRest();
    this.#ending.beginWhenAnswered();
  }

  // --- output ---

  #answer(code: Code, message: string, facts: replies.ErrorFacts = {}, line?: LineBytes): void {
    this.#countRefusal(code, message, line);
    const reply = replies.refused(code, message, facts);
    if (!isFatal(code)) {
      this.#reply(reply);
    } else if (!this.#ending.hasBegun) {
      this.#ending.begin(code, reply);
    }
  }

  /** Counted at once: a guesser need not wait for the answer. */
  #deny(denial: Denial, message: Identify, line: LineBytes): void {
    this.#countRefusedLine();
    const why = UNAUTHORIZED[denial.reason];
    this.#countRefusal('unauthorized', why, line);
    this.#host.unauthorized(this, denial, message);
    if (this.#ending.hasBegun) return;
    this.#ending.beginRefused(replies.refused('unauthorized', why));
  }

  #countRefusedLine(): void {
    this.#host.counters.linesRefused++;
    this.refusedLines++;
  }

  #countRefusal(code: Code, message: string, line?: LineBytes): void {
    this.#host.counters.refused[code]++;
    this.lastCode = code;
    this.#host.refused(this, { code, message }, line);
  }

  #reply(text: string): void {
    if (!this.#ending.hasBegun) this.#replies.send(text);
  }

  // --- time and end ---

  #onDeadline(deadline: Deadline): void {
    if (this.#ending.hasBegun) {
      if (deadline === 'linger') this.#source.destroy();
      else if (deadline === 'refusal') this.#ending.sendRefusal();
      return;
    }
    const { identifyTimeoutMs, inactivityTimeoutMs, lineTimeoutMs } = this.#host.options;
    // While the gateway does not read the device, its silence does not count.
    const isRead = this.#pauses.reasons === 0;
    const isWaiting = this.#input.pendingJobs > 0 || this.#pauses.has(PAUSE.queue);
    const isJudged = this.#frame === undefined && isWaiting;
    switch (deadline) {
      case 'replies':
        this.close('slow_reader', SLOW_READER);
        break;
      case 'errors':
        if (this.#slowdown.hasRecovered()) this.#intake.setMaxJobs();
        else this.#refuseAbuse();
        break;
      case 'memory':
        // If the line waits for the queue, the device could free nothing.
        if (this.#pauses.has(PAUSE.queue)) this.#deadlines.set('memory', OVERLOADED_MS);
        else this.overloaded();
        break;
      case 'kick':
        this.#ending.departNow();
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
      case 'age':
        this.#reachAge();
        break;
      case 'linger':
      case 'refusal':
        break;
    }
  }

  #reachAge(): void {
    const silentMs = this.#host.options.inactivityTimeoutMs - this.#deadlines.leftMs('inactive');
    const isMidLine = this.#input.framer.partialBytes > 0;
    if (this.#maxAge?.isReached({ silentMs, isMidLine })) this.#host.aged(this);
  }

  #refuseAbuse(): void {
    this.#host.limitReached(this, 'too_many_errors');
    this.close('too_many_errors', `lines were refused again and again for ${TOO_MANY_ERRORS_MS} ms`);
  }

  /** Tells the budget how many bytes this connection holds. */
  #charge(): void {
    const bytes = this.#source.destroyed
      ? 0
      : this.#input.heldBytes + this.#replies.heldBytes + this.#source.unreadBytes;
    if (bytes !== this.chargedBytes) this.#host.memory.charge(this, bytes);
  }
}
