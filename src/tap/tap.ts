// One tap inside a process: the lines that it takes, and the fate of each. All that it holds has a limit: events that
// nobody fetches are dropped and counted.
import { addressText } from '../config/ip-address.ts';
import { printable } from '../config/printable.ts';
import type {
  Fate,
  FateEvent,
  LineEvent,
  Refused,
  TapAnswer,
  TapEvent,
  TapFilter,
} from '../inspect/line-questions.ts';
import type { LineBytes, LineOrigin } from '../queue/job.ts';
import type { BatchTicket } from '../workers/record-sink.ts';
import { cutText, shownLine, shownName } from './shown-line.ts';

export const MAX_LINE_BYTES = 512;
const MAX_MESSAGE_BYTES = 200;
/** Lines in one answer. At five answers a second more than any tap may have. */
const LINES_AN_ANSWER = 24;
const FATES_AN_ANSWER = 100;
const MAX_WAITING_LINES = 200;
/** Accepted lines whose fate may still come. Past it the oldest is given up. */
const MAX_FOLLOWED = 1000;
/** The end of a line, by which its record is recognised. */
const TAIL_BYTES = 300;
/** A short line differs from its record before its data. */
const DATA = '"data":';
const WHITE_SPACE = /[ \t\r\n]/g;

interface Followed {
  readonly connectionId: string;
  readonly receivedAtMs: number;
  readonly tail: string;
}

/** A record that Kafka refused after its line had been accepted. */
export interface RefusedRecordFacts {
  readonly code: string;
  readonly message: string;
  /** Kafka's name of the error. */
  readonly reason: string;
  readonly connectionId: string;
  readonly zipcode: string;
  readonly deviceId: string | undefined;
  /** Empty if the connection is gone. */
  readonly remoteAddress: string;
  readonly receivedAtMs: number;
  /** Of the record. */
  readonly value: Uint8Array;
}

export class Tap {
  readonly #filter: TapFilter;
  readonly #linesPerSecond: number;
  #tokens: number;
  #nextId = 0;
  #passedOver = 0;
  #isNew = true;
  readonly #lines: LineEvent[] = [];
  #fates: FateEvent[] = [];
  readonly #followed = new Map<number, Followed>();

  constructor(filter: TapFilter, linesPerSecond: number) {
    this.#filter = filter;
    this.#linesPerSecond = linesPerSecond;
    this.#tokens = linesPerSecond;
  }

  /** Allows the lines of a part of a second. */
  refill(seconds: number): void {
    this.#tokens = Math.min(this.#linesPerSecond, this.#tokens + seconds * this.#linesPerSecond);
  }

  accepted(origin: LineOrigin, line: LineBytes, receivedAtMs: number, ticket: BatchTicket | undefined): void {
    if (this.#filter.refused || !this.#takes(origin)) return;
    const id = this.#shows(origin, line, receivedAtMs, {
      fate: ticket === undefined ? 'answered' : 'accepted',
    });
    if (ticket === undefined) return;
    const tail = tailOf(line.bytes.subarray(line.start, line.end));
    this.#followed.set(id, { connectionId: origin.id, receivedAtMs, tail });
    const [oldest] = this.#followed.keys();
    if (this.#followed.size > MAX_FOLLOWED && oldest !== undefined) this.#followed.delete(oldest);
    void ticket.settled().then(() => this.#settled(id, ticket.isOnDisk === true ? 'spooled' : 'stored'));
  }

  refused(origin: LineOrigin, line: LineBytes, receivedAtMs: number, refused: Refused): void {
    if (this.#takes(origin)) this.#shows(origin, line, receivedAtMs, { fate: 'refused', ...shown(refused) });
  }

  recordRefused(record: RefusedRecordFacts): void {
    const { connectionId, deviceId, zipcode, remoteAddress, receivedAtMs, value, code, message, reason } =
      record;
    const refused = { ...shown({ code, message }), reason };
    const tail = tailOf(value);
    const found = [...this.#followed].find(
      ([, line]) =>
        line.connectionId === connectionId && line.receivedAtMs === receivedAtMs && endAlike(line.tail, tail),
    );
    if (found !== undefined) {
      const [id] = found;
      this.#followed.delete(id);
      this.#tell({ event: 'fate', id, fate: 'refused', ...refused, after_ms: Date.now() - receivedAtMs });
      return;
    }
    const frame = { zipcode: zipcode === '' ? undefined : zipcode };
    const origin = { id: connectionId, deviceId, remoteAddress, frame };
    if (this.#takes(origin))
      this.#shows(origin, { bytes: value, start: 0, end: value.length }, receivedAtMs, {
        fate: 'refused',
        ...refused,
      });
  }

  /** The events since the call before, or a part of them. */
  take(): TapAnswer {
    const isNew = this.#isNew;
    const passedOver = this.#passedOver;
    this.#isNew = false;
    this.#passedOver = 0;
    const lines = this.#lines.splice(0, LINES_AN_ANSWER);
    // A fate must not overtake its line.
    const firstWaiting = this.#lines[0]?.id ?? Number.POSITIVE_INFINITY;
    const ready = this.#fates.filter(({ id }) => id < firstWaiting).slice(0, FATES_AN_ANSWER);
    const told = new Set(ready);
    this.#fates = this.#fates.filter((fate) => !told.has(fate));
    const events: readonly TapEvent[] = [...lines, ...ready];
    return { isNew, events, passedOver };
  }

  #takes(origin: LineOrigin): boolean {
    const { deviceId, address, zipcode } = this.#filter;
    if (deviceId !== undefined && origin.deviceId !== deviceId) return false;
    if (address !== undefined && addressText(origin.remoteAddress) !== address) return false;
    if (zipcode !== undefined && origin.frame?.zipcode !== zipcode) return false;
    if (this.#tokens >= 1 && this.#lines.length < MAX_WAITING_LINES) return true;
    this.#passedOver++;
    return false;
  }

  #shows(
    { id: connectionId, deviceId, remoteAddress, frame }: LineOrigin,
    line: LineBytes,
    receivedAtMs: number,
    fate: Partial<Refused> & { readonly fate: Fate },
  ): number {
    this.#tokens--;
    const id = this.#nextId++;
    this.#lines.push({
      event: 'line',
      id,
      at: new Date(receivedAtMs).toISOString(),
      connection_id: connectionId,
      device_id: deviceId === undefined ? null : shownName(deviceId),
      address: remoteAddress,
      zipcode: frame?.zipcode === undefined ? null : printable(frame.zipcode),
      bytes: line.end - line.start,
      line: shownLine(line, MAX_LINE_BYTES),
      ...fate,
    });
    return id;
  }

  #settled(id: number, fate: Fate): void {
    const line = this.#followed.get(id);
    if (line === undefined) return;
    // Kafka may still refuse a record that is on disk.
    if (fate !== 'spooled') this.#followed.delete(id);
    this.#tell({ event: 'fate', id, fate, after_ms: Math.max(0, Date.now() - line.receivedAtMs) });
  }

  #tell(fate: FateEvent): void {
    if (this.#fates.length < 2 * MAX_FOLLOWED) this.#fates.push(fate);
  }
}

function shown({ code, message }: Refused): Refused {
  return { code, message: cutText(shownName(message), MAX_MESSAGE_BYTES) };
}

/** A record ends as its line does, without white space between tokens. */
function tailOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(-TAIL_BYTES)).toString('latin1').replace(WHITE_SPACE, '');
}

function endAlike(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  const end = short.slice(Math.max(0, short.lastIndexOf(DATA)));
  return long.endsWith(end);
}
