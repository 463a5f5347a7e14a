// The server as its connections see it, and the options that they share. Only types.
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { Identify } from '../protocol/messages.ts';
import type { RecordFrame } from '../protocol/record-frame.ts';
import type { Identity } from '../protocol/record-key.ts';
import type { Tags } from '../protocol/tags.ts';
import type { JobSink, LineBytes, Refusal } from '../queue/job.ts';
import type { LimitCode } from './abuse-log.ts';
import type { ServerCounters } from './counters.ts';
import type { Allowed, Denial } from './device-access.ts';
import type { RateOptions } from './line-rates.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { ReplyFlush } from './reply-flush.ts';
import type { EndedBy } from './settlement.ts';
import type { TimerWheel } from './timer-wheel.ts';

export interface ConnectionOptions extends RateOptions {
  readonly maxLineBytes: number;
  /** Longest line until the device has identified: 8 KiB if left out, and never more than other lines. */
  readonly maxIdentifyBytes?: number;
  readonly identifyTimeoutMs: number;
  readonly inactivityTimeoutMs: number;
  readonly lineTimeoutMs: number;
  /** Connections leave at this age, or up to a tenth earlier or later. 0 = never. */
  readonly maxAgeMs: number;
  /** Each connection is told of one unknown field. */
  readonly warnsUnknownFields: boolean;
  /** A device needs a device_id, by its certificate or by its word. */
  readonly requiresDeviceId?: boolean;
  /** Makes the frame of an identified device. Absent: its key is the zipcode, and its records have no headers. */
  readonly frameOf?: (device: FramedDevice) => RecordFrame;
}

export interface FramedDevice extends Identity {
  readonly connectionId: string;
  readonly remoteAddress: string;
  readonly tags?: Tags | undefined;
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
  /** @param resumes the connection waits for resumed() */
  identified(connection: Connection, resumes: boolean): void;
  /** A connection with a device_id: its device has ended it, or nothing more is taken from it. */
  ended(connection: Connection, by: EndedBy): void;
  /** A connection with a device_id has ended, and all of it has settled. */
  settled(connection: Connection, storedSeq: number | undefined): void;
  /**
   * The device is told that something is refused. @param line the line at fault, or its start, valid only during the call.
   * Absent if the device sent nothing that is at fault
   */
  refused(connection: Connection, refusal: Refusal, line: LineBytes | undefined): void;
  wrongProtocol(connection: Connection, protocol: ForeignProtocol): void;
  /** A sender of octet-counted frames sent no count, so its connection is closed. */
  framingLost(connection: Connection): void;
  /** The connection is closed because of a limit that good devices never reach. */
  limitReached(connection: Connection, code: LimitCode): void;
  /** The connection has reached its greatest age, and its device writes nothing at present. */
  aged(connection: Connection): void;
  closed(connection: Connection): void;
}
