// The types between connections and workers: a job is one line on its way to a worker, and a session is the connection
// as workers and delivery may use it. Neither side imports the other.
import type { Code } from '../protocol/codes.ts';
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
}

/** A connection whose job found no room. */
export interface JobSource {
  onRoom(): void;
}

/** An identified connection as workers and delivery see it. */
export interface Session extends JobSource {
  readonly frame: RecordFrame;
  /** Where the records go. The batcher sets it, and sets it again if `generation` is older than its own. */
  partition: number;
  generation: number;
  /** The highest seq accepted so far, -1 before the first. */
  lastSeq: number;
  /** Counts the line as accepted. */
  accept(): void;
  /** Counts the line as refused, answers it and hands its bytes to the dead letters. */
  refuse(refusal: Refusal, line: LineBytes): void;
  /** Answers a keepalive. */
  alive(): void;
  /** A half-closed connection stays open until stored(seq). */
  expectStored(seq: number): void;
  /** Every message up to `seq` that was not refused is durable now. */
  stored(seq: number): void;
  /** The bytes of a job are no longer used. Called once for each job, after accept or refuse. */
  done(): void;
}

/** Takes jobs up to its limits, and tells a source that was turned away when to try again. */
export interface JobSink {
  /** False if there is no room: the job was not taken. */
  offer(job: Job): boolean;
  /** Asks for one call of source.onRoom() when there may be room. Asking twice counts once. */
  awaitRoom(source: JobSource): void;
  /** onRoom() of this source is not called any more. Its jobs stay. */
  forget(source: JobSource): void;
  readonly stats: JobSinkStats;
}

export interface JobSinkStats {
  readonly depth: number;
  readonly capacity: number;
  readonly bytes: number;
  readonly capacityBytes: number;
}
