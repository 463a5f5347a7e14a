// Decodes the line of a job, checks it and appends its records. It never awaits between the job and its last record, so
// the order of a connection holds with any number of workers.
import { decodeLine, type Metrics, type Refusal } from '../protocol/messages.ts';
import { MetricsScan } from '../protocol/metrics-scan.ts';
import { recordTail } from '../protocol/record-frame.ts';
import { type IdentifiedSession, isIdentified, type Job } from '../queue/job.ts';
import { chargeExtra, quickLineNs } from '../queue/lanes.ts';
import type { TurnBudget } from '../queue/turn-budget.ts';
import type { LineWatch } from './line-watch.ts';
import type { BatchTicket, Reading, RecordSink } from './record-sink.ts';

export class Worker {
  readonly #sink: RecordSink;
  readonly #budget: TurnBudget;
  readonly #watch: LineWatch;
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

  constructor(sink: RecordSink, budget: TurnBudget, watch: LineWatch = { observer: undefined }) {
    this.#sink = sink;
    this.#budget = budget;
    this.#watch = watch;
  }

  /**
   * Handles one job, and charges the turn and the session for its cost. Returns the ticket for the batch of its
   * last record, undefined if it made no record.
   */
  handle(job: Job): BatchTicket | undefined {
    const ticket = this.#quick(job) ?? this.#measured(job);
    this.#watch.observer?.handled(job, ticket);
    job.session.done();
    return ticket;
  }

  /** The short cut. Undefined if the line needs the complete decoder. */
  #quick({ session, bytes, start, end, receivedAtMs }: Job): BatchTicket | undefined {
    const scan = this.#scan;
    if (!isIdentified(session) || !scan.scan(bytes, start, end)) return undefined;
    const { seq, readingBytes } = scan;
    if (readingBytes > this.#sink.maxReadingBytes || (seq >= 0 && seq <= session.lastSeq)) return undefined;
    const reading = this.#reading;
    reading.bytes = bytes;
    reading.start = scan.tailStart;
    reading.end = end;
    reading.whitespace = scan.whitespace;
    reading.receivedAtMs = receivedAtMs;
    reading.seq = seq;
    this.#budget.spend(quickLineNs(end - start));
    return this.#accept(session, seq, reading);
  }

  // The cost of such a line does not follow from its length: refusals, replies and small fields make the difference.
  #measured(job: Job): BatchTicket | undefined {
    const startMs = this.#budget.now();
    const ticket = this.#decode(job);
    const ns = Math.round((this.#budget.now() - startMs) * 1e6);
    this.#budget.spend(ns);
    chargeExtra(job, ns);
    return ticket;
  }

  #decode(job: Job): BatchTicket | undefined {
    const { session } = job;
    const message = decodeLine(job.bytes, job.start, job.end);
    if (!isIdentified(session)) {
      if (message.type === 'identify') session.identify(message, job);
      else if (message.type === 'refused') session.refuse(message, job);
      else session.refuse(notIdentified(message), job);
      return undefined;
    }
    switch (message.type) {
      case 'metrics':
        return this.#metrics(session, job, message);
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

  #metrics(session: IdentifiedSession, job: Job, message: Metrics): BatchTicket | undefined {
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

  #accept(session: IdentifiedSession, seq: number, last: Reading): BatchTicket {
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

function notIdentified(message: Metrics | { readonly type: 'keepalive' }): Refusal {
  const seq = message.type === 'metrics' ? message.seq : undefined;
  return { type: 'refused', code: 'not_identified', message: 'the first message has to be identify', seq };
}
