// The server as its connections see it, and the options that they share. Only types.
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { Identify } from '../protocol/messages.ts';
import type { JobSink, LineBytes, Refusal } from '../queue/job.ts';
import type { LimitCode } from './abuse-log.ts';
import type { ServerCounters } from './counters.ts';
import type { Allowed, Denial } from './device-access.ts';
import type { RateOptions } from './line-rates.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { ReplyFlush } from './reply-flush.ts';
import type { TimerWheel } from './timer-wheel.ts';

export interface ConnectionOptions extends RateOptions {
  readonly maxLineBytes: number;
  readonly identifyTimeoutMs: number;
  readonly inactivityTimeoutMs: number;
  readonly lineTimeoutMs: number;
  /** Connections leave at this age, or up to a tenth earlier or later. 0 = never. */
  readonly maxAgeMs: number;
}

/** The server as its connections see it. */
export interface ConnectionHost<Connection> {
  readonly options: ConnectionOptions;
  readonly sink: JobSink;
  readonly wheel: TimerWheel;
  readonly memory: MemoryBudget;
  readonly replyFlush: ReplyFlush;
  readonly counters: ServerCounters;
  /** Bytes came from a device, and their lines are in the sink. */
  received(bytes: number): void;
  authorize(message: Identify, certifiedId: string | undefined): Allowed | Denial;
  unauthorized(connection: Connection, denial: Denial, message: Identify): void;
  identified(connection: Connection): void;
  /**
   * The device is told that something is refused. @param line the line at fault, or its start, valid only during the call.
   * Absent if the device sent nothing that is at fault
   */
  refused(connection: Connection, refusal: Refusal, line: LineBytes | undefined): void;
  wrongProtocol(connection: Connection, protocol: ForeignProtocol): void;
  /** The connection is closed because of a limit that good devices never reach. */
  limitReached(connection: Connection, code: LimitCode): void;
  /** The connection has reached its greatest age, and its device writes nothing at present. */
  aged(connection: Connection): void;
  closed(connection: Connection): void;
}
