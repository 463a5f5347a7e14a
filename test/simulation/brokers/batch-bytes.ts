// Writes record batches for scripts, right ones and such as no client sends.

import { Writer } from '../../../simulation/brokers/wire.ts';
import { crc32c } from '../../../src/checksum/crc32c.ts';
import { CODEC_NAMES, type CodecName, createCodec } from '../../../src/kafka/batches/compression.ts';

export interface BatchFields {
  /** Values of the records. Default: one. */
  readonly values?: readonly string[];
  /** Null = records without a key. */
  readonly key?: string | null;
  /** Milliseconds since 1970. Default: now. */
  readonly timeMs?: number;
  /** Default: not idempotent. */
  readonly producerId?: bigint;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly codec?: CodecName;
  readonly baseOffset?: number;
  readonly magic?: number;
  /** In place of the right number. */
  readonly count?: number;
  readonly lastOffsetDelta?: number;
  readonly isCorrupt?: boolean;
  /** In place of the records, as the codec would have packed them. */
  readonly packed?: Buffer;
}

export async function batchBytes(fields: BatchFields = {}): Promise<Buffer> {
  const { values = ['one'], key = 'k', timeMs = Date.now(), codec = 'none' } = fields;
  const records = Buffer.concat(values.map((value, i) => record(i, key, value)));
  const packed = fields.packed ?? Buffer.concat(await createCodec(codec).compress([records]));
  const { count = values.length, lastOffsetDelta = count - 1 } = fields;
  const checked = new Writer()
    .int16(CODEC_NAMES.indexOf(codec))
    .int32(lastOffsetDelta)
    .int64(timeMs)
    .int64(timeMs)
    .int64(fields.producerId ?? -1n)
    .int16(fields.epoch ?? (fields.producerId === undefined ? -1 : 0))
    .int32(fields.sequence ?? (fields.producerId === undefined ? -1 : 0))
    .int32(count)
    .raw(packed).buffer;
  const crc = crc32c(checked) ^ (fields.isCorrupt === true ? 1 : 0);
  const length = 4 + 1 + 4 + checked.length;
  return new Writer()
    .int64(fields.baseOffset ?? 0)
    .int32(length)
    .int32(-1)
    .int8(fields.magic ?? 2)
    .int32(crc | 0)
    .raw(checked).buffer;
}

function record(delta: number, key: string | null, value: string): Buffer {
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(0),
    varint(delta),
    ...(key === null ? [varint(-1)] : [varint(Buffer.byteLength(key)), Buffer.from(key)]),
    varint(Buffer.byteLength(value)),
    Buffer.from(value),
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
