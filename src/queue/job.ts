// A job is one line on its way from a connection to a worker, and the session is what a worker may know and
// do of that connection. Neither side imports the other; both know these two types.
import type { Code } from '../protocol/codes.ts';
import type { RecordFrame } from '../protocol/record-frame.ts';

/** A line is bytes[start, end), without LF and CR. */
export interface LineBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Why a line is refused, as its device is told. */
export interface Refusal {
  readonly code: Code;
  readonly message: string;
  /** The line's seq, where it had a valid one. */
  readonly seq?: number | undefined;
}

/** The bytes stay untouched until the job is done. */
export interface Job extends LineBytes {
  readonly session: Session;
  /** Wall clock, milliseconds since 1970. */
  readonly receivedAtMs: number;
}

/** Where jobs come from: told when it may try again after a refused offer. */
export interface JobSource {
  onRoom(): void;
}

/** An identified connection as workers and delivery see it. */
export interface Session extends JobSource {
  readonly frame: RecordFrame;
  /** Where the key's records go; recomputed when `generation` is older than the partitioner's. */
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
  /** Promises an answer for `seq`: a connection that is closing waits for it. */
  expectStored(seq: number): void;
  /** Every message up to `seq` that was not refused is durable. */
  stored(seq: number): void;
  /** The job's bytes are no longer read. Called once a job, after accept or refuse. */
  done(): void;
}

/** Where jobs wait. Sources are told when to try again; nothing in here grows past its limits. */
export interface JobSink {
  /** False where there is no room now; the job was not taken. */
  offer(job: Job): boolean;
  /** Asks for one call of source.onRoom() once there may be room. Asking twice counts once. */
  awaitRoom(source: JobSource): void;
  /** The source is gone; it is not called again. Its jobs stay. */
  forget(source: JobSource): void;
  readonly stats: JobSinkStats;
}

export interface JobSinkStats {
  readonly depth: number;
  readonly capacity: number;
  readonly bytes: number;
  readonly capacityBytes: number;
}
