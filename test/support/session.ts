// A connection without a socket, for tests of workers. It records every call.
import type { Code } from '../../src/protocol/codes.ts';
import type { Identify } from '../../src/protocol/messages.ts';
import { RecordFrame } from '../../src/protocol/record-frame.ts';
import type { Job, Lane, Refusal, Session } from '../../src/queue/job.ts';

export interface NotedRefusal {
  readonly code: Code;
  readonly message: string;
  readonly seq: number | undefined;
}

export class NotingSession implements Session {
  readonly id = CONNECTION_ID;
  readonly remoteAddress = '192.0.2.7';
  readonly deviceId: string | undefined;
  frame: RecordFrame | undefined;
  lane: Lane | undefined;
  partition = -1;
  generation = -1;
  lastSeq = -1;
  resumedSeq = -1;
  accepted = 0;
  alives = 0;
  times = 0;
  finished = 0;
  expected = -1;
  storedSeq = -1;
  rooms = 0;
  readonly warnings: { readonly field: string; readonly seq: number | undefined }[] = [];
  readonly refused: NotedRefusal[] = [];
  /** The seqs of messages that were stored already. */
  readonly skipped: number[] = [];
  /** Called on onRoom(). */
  whenRoom: () => void = () => {};

  constructor(device: { zipcode?: string; city?: string; deviceId?: string } = {}) {
    const { zipcode = '90210', city = 'Beverly Hills', deviceId } = device;
    this.deviceId = deviceId;
    this.frame = new RecordFrame({ connectionId: CONNECTION_ID, zipcode, city, deviceId });
  }

  /** A session without a frame. */
  static unidentified(): NotingSession {
    const session = new NotingSession();
    session.frame = undefined;
    return session;
  }

  /** A job as the framer makes it: the line inside a larger buffer. */
  job(line: string, receivedAtMs = RECEIVED_AT_MS): Job {
    const bytes = Buffer.from(`before\n${line}\nafter`);
    const start = 'before\n'.length;
    return {
      session: this,
      bytes,
      start,
      end: bytes.length - '\nafter'.length,
      receivedAtMs,
      next: undefined,
    };
  }

  identify({ zipcode, city, device_id: deviceId }: Identify): void {
    this.accepted++;
    this.frame = new RecordFrame({ connectionId: CONNECTION_ID, zipcode, city, deviceId });
  }

  accept(): void {
    this.accepted++;
  }

  refuse({ code, message, seq }: Refusal): void {
    this.refused.push({ code, message, seq });
  }

  alive(): void {
    this.alives++;
  }

  time(): void {
    this.times++;
  }

  warnUnknownField(field: string, seq: number | undefined): void {
    this.warnings.push({ field, seq });
  }

  expectStored(seq: number): void {
    this.expected = seq;
  }

  alreadyStored(seq: number): void {
    this.skipped.push(seq);
  }

  stored(seq: number): void {
    this.storedSeq = seq;
  }

  done(): void {
    this.finished++;
  }

  onRoom(): void {
    this.rooms++;
    this.whenRoom();
  }
}

export const CONNECTION_ID = '8f14e45f-ceea-467f-9c5b-1f0d5d3f2a11';
export const RECEIVED_AT_MS = Date.UTC(2026, 10, 21, 8, 0, 0, 123);
