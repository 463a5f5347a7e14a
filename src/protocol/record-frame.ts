// The key and the value of a Kafka record around a reading (docs/protocol.md, "Kafka record"). The bytes that are the
// same for all records of a connection are encoded once, when it identifies.

const RECEIVED_AT_BYTES = 24;

/** For the records of one connection. A value is a head, in which only `received_at` changes, and a recordTail. */
export class RecordFrame {
  readonly connectionId: string;
  readonly zipcode: string;
  /** The record's key: the zipcode. */
  readonly key: Buffer;
  /** Bytes of `head`. */
  readonly headBytes: number;
  // The time in it is overwritten when it changes.
  readonly #head: Buffer;
  readonly #timeAt: number;
  #timeMs = Number.NaN;

  constructor(device: { connectionId: string; zipcode: string; city: string; deviceId: string | undefined }) {
    const { connectionId, zipcode, city, deviceId } = device;
    this.connectionId = connectionId;
    this.zipcode = zipcode;
    this.key = Buffer.from(zipcode);
    const start = `${JSON.stringify({ connection_id: connectionId, zipcode, city }).slice(0, -1)},"received_at":"`;
    const end = deviceId === undefined ? '"' : `","device_id":${JSON.stringify(deviceId)}`;
    this.#timeAt = Buffer.byteLength(start);
    this.#head = Buffer.from(`${start}${' '.repeat(RECEIVED_AT_BYTES)}${end}`);
    this.headBytes = this.#head.length;
  }

  /** Read from the bytes: a text of its own would cost memory for each connection. */
  get city(): string {
    const start = ['{"connection_id":"', this.connectionId, '","zipcode":"', this.zipcode, '","city":"'];
    const from = start.reduce((length, part) => length + part.length, 0);
    const text = this.#head.toString('utf8', from, this.#timeAt - '","received_at":"'.length);
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  }

  /** The same buffer each time: copy it before the next call. */
  head(receivedAtMs: number): Buffer {
    if (receivedAtMs !== this.#timeMs) {
      this.#timeMs = receivedAtMs;
      this.#head.set(receivedAtText(receivedAtMs), this.#timeAt);
    }
    return this.#head;
  }
}

/** The value of a record after its head. The line of a device ends with the same bytes. @param reading JSON text */
export function recordTail(seq: number | undefined, reading: string): string {
  return `${seq === undefined ? '' : `,"seq":${seq}`},"data":${reading}}`;
}

let lastMs = -1;
const lastText = Buffer.alloc(RECEIVED_AT_BYTES);

/** `2026-11-21T08:00:00.123Z` as bytes. Always the same buffer, written once a millisecond. */
function receivedAtText(ms: number): Buffer {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText.write(new Date(ms).toISOString(), 'latin1');
  }
  return lastText;
}
