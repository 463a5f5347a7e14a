// The key, the value and the headers of a Kafka record around a reading (docs/protocol.md, "Kafka record"). The bytes that
// are the same for all records of a connection are encoded once: when a device identifies, or when a sender of plain
// lines connects.

const RECEIVED_AT_BYTES = 24;
const RECEIVED_AT = '"received_at":"';
const NOTHING = Buffer.alloc(0);

/** Bytes that a frame, with the addition of a dead letter, may have before readings have to be smaller for it. */
export const USUAL_FRAME_BYTES = 1536;
/**
 * Bytes that the frames of the records of one message may have: 1000 readings of 1 KiB each. KAFKA_BUFFER_BYTES is
 * calculated with it (src/config/shares.ts). The frame of a weather station has less than 1 KiB.
 */
export const MAX_FRAMES_BYTES = 1000 * 1024;
/** A record's lengths and deltas, its batch's header, and the names around a reading: `,"seq":...,"data":}`. */
const BYTES_AROUND_A_FRAME = 32 + 61 + 32;
/** Bytes that the dead letter of a record has beyond the record (kafka/pipelines/dead-letters.ts), but for the zipcode. */
const LETTER_BYTES = 512;
/** Up to 33 headers of the record have `record.` before their names in its letter. */
const LETTER_HEADERS_BYTES = 33 * 8;

/** Who sent the records. */
export interface FrameOrigin {
  readonly connectionId: string;
  readonly zipcode?: string | undefined;
  readonly city?: string | undefined;
  readonly deviceId?: string | undefined;
  /** Canonical JSON of the tags of identify. */
  readonly tags?: string | undefined;
  /** The zipcode if left out. A connection without a zipcode has its id as the key. */
  readonly key?: Buffer | undefined;
  /** `key` stands in for one that the records cannot have. */
  readonly lacksKey?: boolean;
  /** Undefined if the records have no headers. */
  readonly headers?: RecordHeaders | undefined;
}

/** The headers of the records of one connection. */
export interface RecordHeaders {
  /** Most bytes of a section. */
  readonly maxBytes: number;
  /** The headers section of the next record: a count and the entries. The same memory each time: copy it first. */
  next(receivedAtMs: number, traceparent: Uint8Array | undefined): Uint8Array;
}

/** The value around a reading: `start`, the time if there is one, `end`, the reading, `tail`. */
interface Layout {
  readonly start: string;
  readonly end: string;
  readonly hasTime: boolean;
  readonly tail: Buffer;
}

/**
 * For the records of one connection. A value is a head, in which only `received_at` changes, the reading (recordTail for a
 * device, the line as sent for plain lines) and a tail. The constructor makes the frame of a device.
 */
export class RecordFrame {
  readonly connectionId: string;
  readonly zipcode: string | undefined;
  /** The key of all records for which the reading has none of its own. */
  readonly key: Buffer;
  /** The key is the connection's id, since the records cannot have the one that the settings ask for. */
  readonly lacksKey: boolean;
  /** Bytes of `head`. */
  readonly headBytes: number;
  /** Follows the reading in the value. Empty for a device. */
  readonly tail: Buffer;
  readonly headers: RecordHeaders | undefined;
  /** Most bytes of head, tail and headers together. */
  readonly aroundBytes: number;
  /** Bytes beyond USUAL_FRAME_BYTES: readings of this connection have to be that much smaller. */
  readonly excessBytes: number;
  /** Of the dead letter of a record, beyond the record. It has to fit into a topic with the same limit. */
  readonly #letterBytes: number;
  // The time in it is overwritten when it changes.
  readonly #head: Buffer;
  /** -1 if the head has no time. */
  readonly #timeAt: number;
  #timeMs = Number.NaN;
  readonly #hasCity: boolean;
  readonly #tagsBytes: number;

  constructor(origin: FrameOrigin, layout: Layout = deviceLayout(origin)) {
    const { connectionId, zipcode, city, headers } = origin;
    const { start, end, hasTime, tail } = layout;
    this.connectionId = connectionId;
    this.zipcode = zipcode;
    this.key = origin.key ?? Buffer.from(zipcode ?? connectionId);
    this.lacksKey = origin.lacksKey ?? (origin.key === undefined && zipcode === undefined);
    this.#timeAt = hasTime ? Buffer.byteLength(start) : -1;
    this.#head = Buffer.from(`${start}${hasTime ? ' '.repeat(RECEIVED_AT_BYTES) : ''}${end}`);
    this.#hasCity = city !== undefined;
    this.#tagsBytes = Buffer.byteLength(origin.tags ?? '');
    this.headBytes = this.#head.length;
    this.tail = tail;
    this.headers = headers;
    this.aroundBytes = this.headBytes + tail.length + (headers?.maxBytes ?? 0);
    const headersBytes = headers === undefined ? 0 : LETTER_HEADERS_BYTES;
    this.#letterBytes = LETTER_BYTES + Buffer.byteLength(zipcode ?? '') + headersBytes;
    this.excessBytes = this.excessWith(this.key);
  }

  /** `excessBytes` of a record with a key of its own. */
  excessWith(key: Buffer): number {
    const frameBytes = this.bytes - this.key.length + key.length;
    return Math.max(0, frameBytes + this.#letterBytes - USUAL_FRAME_BYTES);
  }

  /** Most bytes of a record around its reading, its share of a batch's header included. */
  get bytes(): number {
    return this.aroundBytes + this.key.length + BYTES_AROUND_A_FRAME;
  }

  /** Read from the bytes: a text of its own would cost memory for each connection. */
  get city(): string | undefined {
    if (!this.#hasCity) return undefined;
    const before = identityText({ connectionId: this.connectionId, zipcode: this.zipcode });
    const from = Buffer.byteLength(before) + ',"city":'.length;
    return JSON.parse(this.#head.toString('utf8', from, this.#timeAt - `,${RECEIVED_AT}`.length)) as string;
  }

  /** Canonical JSON. */
  get tags(): string | undefined {
    const { length } = this.#head;
    return this.#tagsBytes === 0 ? undefined : this.#head.toString('utf8', length - this.#tagsBytes);
  }

  /** The same buffer each time: copy it before the next call. */
  head(receivedAtMs: number): Buffer {
    if (receivedAtMs !== this.#timeMs) {
      this.#timeMs = receivedAtMs;
      if (this.#timeAt >= 0) this.#head.set(receivedAtText(receivedAtMs), this.#timeAt);
    }
    return this.#head;
  }

  /** True if the value begins with this head, at any time. */
  begins(value: Buffer): boolean {
    const { length } = this.#head;
    const timeAt = this.#timeAt < 0 ? length : this.#timeAt;
    const from = this.#timeAt < 0 ? length : timeAt + RECEIVED_AT_BYTES;
    return (
      value.length >= length &&
      value.compare(this.#head, 0, timeAt, 0, timeAt) === 0 &&
      value.compare(this.#head, from, length, from, length) === 0
    );
  }
}

/**
 * The frame of a connection that sends plain lines. The value is the line as sent, or the line in an object that names
 * its sender.
 */
export function linesFrame(origin: FrameOrigin, wrapped?: { readonly remoteAddress: string }): RecordFrame {
  if (wrapped === undefined) {
    return new RecordFrame(origin, { start: '', end: '', hasTime: false, tail: NOTHING });
  }
  const end = `","remote_address":${JSON.stringify(wrapped.remoteAddress)},"data":`;
  return new RecordFrame(origin, { start: `{${RECEIVED_AT}`, end, hasTime: true, tail: CLOSE });
}

const CLOSE = Buffer.from('}');

/** The start of a value, up to `city`. */
function identityText({ connectionId, zipcode, city }: FrameOrigin): string {
  return JSON.stringify({ connection_id: connectionId, zipcode, city }).slice(0, -1);
}

function deviceLayout(origin: FrameOrigin): Layout {
  const { deviceId, tags } = origin;
  const id = deviceId === undefined ? '' : `,"device_id":${JSON.stringify(deviceId)}`;
  const end = `"${id}${tags === undefined ? '' : `,"tags":${tags}`}`;
  return { start: `${identityText(origin)},${RECEIVED_AT}`, end, hasTime: true, tail: NOTHING };
}

/** The value of a record after its head. The line of a device ends with the same bytes. @param reading JSON text */
export function recordTail(seq: number | undefined, reading: string): string {
  return `${seq === undefined ? '' : `,"seq":${seq}`},"data":${reading}}`;
}

const ZERO = 0x30;
/** Of the first of the three digits of the milliseconds. */
const MS_AT = 20;
let lastMs = -1;
let lastSecond = Number.NaN;
const lastText = Buffer.alloc(RECEIVED_AT_BYTES);

/**
 * `2026-11-21T08:00:00.123Z` as bytes. Always the same buffer. When few lines come, nearly each has a millisecond of its
 * own, so only the digits that change are written.
 */
export function receivedAtText(ms: number): Buffer {
  if (ms === lastMs) return lastText;
  lastMs = ms;
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastText.write(new Date(ms).toISOString(), 'latin1');
    return lastText;
  }
  const rest = ms - 1000 * second;
  lastText[MS_AT] = ZERO + Math.trunc(rest / 100);
  lastText[MS_AT + 1] = ZERO + (Math.trunc(rest / 10) % 10);
  lastText[MS_AT + 2] = ZERO + (rest % 10);
  return lastText;
}
