// The types between connections and workers: a job is one line on its way to a worker, and a session is the connection
// as workers and delivery may use it. Neither side imports the other.
import type { Code } from '../protocol/codes.ts';
import type { Identify } from '../protocol/messages.ts';
import type { PlainLines } from '../protocol/plain-lines.ts';
import type { RecordFrame } from '../protocol/record-frame.ts';

/** A line: bytes[start, end), without LF and CR. */
export interface LineBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Why a line is refused, as the device is told. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
  /** The seq of the line if it has a valid one. */
  readonly seq?: number | undefined;
}

/** The bytes must not change until session.done(). */
export interface Job extends LineBytes {
  readonly session: Session;
  /** Wall clock, milliseconds since 1970. */
  readonly receivedAtMs: number;
  /** The next job of the session in the queue. Only the queue uses it; undefined at first. */
  next: Job | undefined;
}

/** Lanes in the order of their turns. */
export interface LaneList {
  remove(lane: Lane): void;
}

/** The jobs of one session in the queue, first in, first out. Only the queue reads and writes it. */
export interface Lane {
  readonly session: Session;
  first: Job | undefined;
  last: Job | undefined;
  jobs: number;
  bytes: number;
  /** Jobs that were taken since the session last brought lines in its turn, and their cost in nanoseconds. */
  taken: number;
  costNs: number;
  /** Nanoseconds that the session may cost before the other lanes have their turn. */
  credit: number;
  /** The round of the queue in which `credit` was true. */
  round: number;
  /** The session waits for room, so the lane has turns without a job, too. */
  waits: boolean;
  /** The lane has no turns: its first job, or the line of its session, waits for a congested partition. */
  isParked: boolean;
  /** The list that it is in: undefined if it has no job and its session does not wait. */
  list: LaneList | undefined;
  /** Its neighbours there. */
  previous: Lane | undefined;
  next: Lane | undefined;
}

/** Who sent a line, as operators are told. */
export interface LineOrigin {
  /** Of the connection. */
  readonly id: string;
  readonly remoteAddress: string;
  /** Undefined until the device has identified, and if it has none. */
  readonly deviceId: string | undefined;
  /** Undefined until the device has identified. */
  readonly frame: { readonly zipcode: string | undefined } | undefined;
}

/** A connection as workers and the queue see it. */
export interface Session extends LineOrigin {
  readonly frame: RecordFrame | undefined;
  /** How its lines become records if it is a sender of plain lines. Undefined for a device. */
  readonly plain?: PlainLines | undefined;
  /** The session's place in the queue. Only the queue uses it; undefined at first. */
  lane: Lane | undefined;
  /** Where the records go. The batcher sets it, and sets it again if `generation` is older than its own. */
  partition: number;
  generation: number;
  /** The highest seq accepted so far, -1 before the first. */
  lastSeq: number;
  /** Up to this seq all is stored already, as the device was told when it resumed. -1 if it was told nothing. */
  readonly resumedSeq: number;
  /**
   * A valid identify for a session without a frame: counts the line as accepted and answers it, or refuses it if the
   * device may not identify so.
   */
  identify(message: Identify, line: LineBytes): void;
  /** Counts the line as accepted. */
  accept(): void;
  /** Counts the line as refused, answers it and hands its bytes to the dead letters. */
  refuse(refusal: Refusal, line: LineBytes): void;
  /** Answers a keepalive. */
  alive(): void;
  /** Answers a device that asks for the time. */
  time(): void;
  /** A line has a top-level field that is ignored. The device may be told, before the answer to the line. */
  warnUnknownField(field: string, seq: number | undefined): void;
  /** A half-closed connection stays open until stored(seq). */
  expectStored(seq: number): void;
  /** Answers a message up to `resumedSeq`, which is not written again. */
  alreadyStored(seq: number): void;
  /** Every message up to `seq` that was not refused is durable now. */
  stored(seq: number): void;
  /** There may be room: the answer to awaitRoom(). It is called while lines are handled. */
  onRoom(): void;
  /** The bytes of a job are no longer used. Called once for each job, after accept or refuse. */
  done(): void;
}

/** A session that can have records. */
export interface IdentifiedSession extends Session {
  readonly frame: RecordFrame;
}

export function isIdentified(session: Session): session is IdentifiedSession {
  return session.frame !== undefined;
}

/** Takes jobs up to its limits, and tells a source that was turned away when to try again. */
export interface JobSink {
  /**
   * False if there is no room: the job was not taken. With TCP_JOB_QUEUE_FULL=drop a full queue takes the job and refuses
   * it with `queue_full` before this returns.
   */
  offer(job: Job): boolean;
  /** Asks for one call of source.onRoom() when there may be room. Asking twice counts once. */
  awaitRoom(source: Session): void;
  /** onRoom() of this source is not called any more. Its jobs stay. */
  forget(source: Session): void;
  readonly stats: JobSinkStats;
}

export interface JobSinkStats {
  readonly depth: number;
  readonly capacity: number;
  readonly bytes: number;
  readonly capacityBytes: number;
}
