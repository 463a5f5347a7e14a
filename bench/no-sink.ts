// A sink for records that does nothing, for measurements of everything before it.
import type { BatchTicket, RecordSink } from '../src/workers/record-sink.ts';

const TICKET: BatchTicket = { settled: () => Promise.resolve() };

export const NO_SINK: RecordSink = {
  maxReadingBytes: 1_000_000,
  hasRoom: () => true,
  room: () => Promise.resolve(true),
  append: () => TICKET,
};
