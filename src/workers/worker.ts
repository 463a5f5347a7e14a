// Decodes the line of a job, checks it and appends its records. It never awaits between the job and its last record, so
// the order of a connection holds with any number of workers.
import { decodeLine, type Metrics } from '../protocol/messages.ts';
import { MetricsScan } from '../protocol/metrics-scan.ts';
import { recordTail } from '../protocol/record-frame.ts';
import type { Job, Session } from '../queue/job.ts';
import type { BatchTicket, Reading, RecordSink } from './record-sink.ts';

export class Worker {
  readonly #sink: RecordSink;
  readonly #scan = new MetricsScan();
  // Reused for each line: append() copies the bytes before it returns.
  readonly #reading: Reading = {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    whitespace: 0,
    receivedAtMs: 0,
    seq: -1,
    confirms: true,
  };

  constructor(sink: RecordSink) {
    this.#sink = sink;
  }

  /** Handles one job. Returns the ticket for the batch of its last record, undefined if it made no record. */
  handle(job: Job): BatchTicket | undefined {
    const ticket = this.#decode(job);
    job.session.done();
    return ticket;
  }

  #decode(job: Job): BatchTicket | undefined {
    const { session } = job;
    const scan = this.#scan;
    if (scan.scan(job.bytes, job.start, job.end)) {
      if (!this.#admits(job, scan.seq, scan.readingBytes)) return undefined;
      const reading = this.#reading;
      reading.bytes = job.bytes;
      reading.start = scan.tailStart;
      reading.end = job.end;
      reading.whitespace = scan.whitespace;
      reading.receivedAtMs = job.receivedAtMs;
      reading.seq = scan.seq;
      return this.#accept(session, scan.seq, reading);
    }
    const message = decodeLine(job.bytes, job.start, job.end);
    switch (message.type) {
      case 'metrics':
        return this.#metrics(job, message);
      case 'keepalive':
        session.accept();
        session.alive();
        return undefined;
      case 'identify':
        session.refuse(
          { code: 'already_identified', message: 'this connection has identified already' },
          job,
        );
        return undefined;
      case 'refused':
        session.refuse(message, job);
        return undefined;
    }
  }

  #metrics(job: Job, message: Metrics): BatchTicket | undefined {
    const { session } = job;
    const seq = message.seq ?? -1;
    // All or none: every reading is measured before the first one is appended.
    const largest = message.readings.reduce((max, text) => Math.max(max, Buffer.byteLength(text)), 0);
    if (!this.#admits(job, seq, largest)) return undefined;
    const { receivedAtMs } = job;
    const parts = message.readings.map((text, index): Reading => {
      const bytes = Buffer.from(recordTail(message.seq, text));
      const confirms = index === message.readings.length - 1;
      return { bytes, start: 0, end: bytes.length, whitespace: 0, receivedAtMs, seq, confirms };
    });
    for (const part of parts.slice(0, -1)) this.#sink.append(session, part);
    const last = parts.at(-1);
    return last && this.#accept(session, seq, last);
  }

  #accept(session: Session, seq: number, last: Reading): BatchTicket {
    session.accept();
    if (seq >= 0) {
      session.lastSeq = seq;
      session.expectStored(seq);
    }
    return this.#sink.append(session, last);
  }

  /** False if the seq or the size of a reading is not allowed. The line is refused then. */
  #admits(job: Job, seq: number, readingBytes: number): boolean {
    const { lastSeq } = job.session;
    const maxBytes = this.#sink.maxReadingBytes;
    if (seq >= 0 && seq <= lastSeq) {
      const message = `field 'seq': has to rise, the last one was ${lastSeq}`;
      job.session.refuse({ code: 'invalid_message', message, seq }, job);
      return false;
    }
    if (readingBytes > maxBytes) {
      const message = `a reading of ${readingBytes} bytes, at most ${maxBytes} fit`;
      job.session.refuse({ code: 'record_too_large', message, seq: seq < 0 ? undefined : seq }, job);
      return false;
    }
    return true;
  }
}
