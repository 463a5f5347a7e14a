// The Kafka record's key and value around a reading (docs/protocol.md, "Kafka record"): everything that stays
// the same for a connection is encoded once, when it identifies.

const RECEIVED_AT_BYTES = 24;

/** A connection's records: the value is a head that differs in `received_at`, and what recordTail makes. */
export class RecordFrame {
  readonly connectionId: string;
  readonly zipcode: string;
  /** The record's key: the zipcode. */
  readonly key: Buffer;
  /** Bytes of `head`. */
  readonly headBytes: number;
  // With the time in it, which is written anew when it has changed.
  readonly #head: Buffer;
  readonly #timeAt: number;
  #timeMs = Number.NaN;

  constructor(device: {
    connectionId: string;
    zipcode: string;
    city: string;
    deviceId: string | undefined;
  }) {
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

  /** To be copied before the next call. */
  head(receivedAtMs: number): Buffer {
    if (receivedAtMs !== this.#timeMs) {
      this.#timeMs = receivedAtMs;
      this.#head.set(receivedAtText(receivedAtMs), this.#timeAt);
    }
    return this.#head;
  }
}

/** A record's value after its head, as devices write it too. @param reading the JSON text of its object */
export function recordTail(seq: number | undefined, reading: string): string {
  return `${seq === undefined ? '' : `,"seq":${seq}`},"data":${reading}}`;
}

let lastMs = -1;
const lastText = Buffer.alloc(RECEIVED_AT_BYTES);

/** `2026-11-21T08:00:00.123Z` as bytes; the same buffer each time, made anew once a millisecond. */
function receivedAtText(ms: number): Buffer {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText.write(new Date(ms).toISOString(), 'latin1');
  }
  return lastText;
}
