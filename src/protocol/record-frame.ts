// The Kafka record's key and value around a reading (docs/protocol.md, "Kafka record"): everything that stays
// the same for a connection is encoded once, when it identifies.

/** The constant bytes of a connection's records. The value is
 * head, received_at (24 bytes), tail or seqTail + digits + DATA_FIELD, the reading, `}`. */
export interface RecordFrame {
  readonly connectionId: string;
  readonly zipcode: string;
  /** The record's key: the zipcode. */
  readonly key: Buffer;
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly seqTail: Buffer;
}

export const DATA_FIELD = Buffer.from(',"data":');
export const RECEIVED_AT_BYTES = 24;

const TAIL = Buffer.from('","data":');
const SEQ_TAIL = Buffer.from('","seq":');

export function createRecordFrame(device: {
  connectionId: string;
  zipcode: string;
  city: string;
  deviceId: string | undefined;
}): RecordFrame {
  const { connectionId, zipcode, city, deviceId } = device;
  const head = `${JSON.stringify({ connection_id: connectionId, zipcode, city }).slice(0, -1)},"received_at":"`;
  const id = deviceId === undefined ? '' : `","device_id":${JSON.stringify(deviceId)}`;
  return {
    connectionId,
    zipcode,
    key: Buffer.from(zipcode),
    head: Buffer.from(head),
    // The closing quote of received_at comes first in each tail; most devices share the two constant ones.
    tail: id === '' ? TAIL : Buffer.from(`${id},"data":`),
    seqTail: id === '' ? SEQ_TAIL : Buffer.from(`${id},"seq":`),
  };
}

let lastMs = -1;
const lastText = Buffer.alloc(RECEIVED_AT_BYTES);

/** `2026-11-21T08:00:00.123Z` as bytes; the same buffer each time, made anew once a millisecond. */
export function receivedAtText(ms: number): Buffer {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText.write(new Date(ms).toISOString(), 'latin1');
  }
  return lastText;
}
