// Decodes the line of a job, checks it and appends its records. It never awaits between the job and its last record, so
// the order of a connection holds with any number of workers.
import { OPEN } from '../protocol/json-scan.ts';
import { type LineDecoder, STRICT } from '../protocol/line-decoder.ts';
import type { Decoded, Metrics, Plain, Refusal } from '../protocol/messages.ts';
import { MetricsScan } from '../protocol/metrics-scan.ts';
import { plainKey } from '../protocol/plain-line.ts';
import type { PlainLines } from '../protocol/plain-lines.ts';
import { MAX_FRAMES_BYTES, type RecordFrame, recordTail } from '../protocol/record-frame.ts';
import { TRACEPARENT_LENGTH } from '../protocol/traceparent.ts';
import { type IdentifiedSession, isIdentified, type Job } from '../queue/job.ts';
import { chargeExtra, quickLineNs } from '../queue/lanes.ts';
import type { TurnBudget } from '../queue/turn-budget.ts';
import { LineSinks } from './line-sinks.ts';
import type { LineWatch } from './line-watch.ts';
import type { BatchTicket, Reading, RecordSink } from './record-sink.ts';

type Ticket = BatchTicket | undefined;

export class Worker {
  readonly #sink: RecordSink;
  readonly #budget: TurnBudget;
  readonly #watch: LineWatch;
  readonly #decoder: LineDecoder;
  readonly #scan = new MetricsScan();
  // Reused for each line: append() copies the bytes before it returns.
  readonly #reading = emptyReading();
  readonly #line = emptyReading();
  readonly #lines: LineSinks;

  constructor(
    sink: RecordSink,
    budget: TurnBudget,
    watch: LineWatch = { observer: undefined },
    decoder: LineDecoder = STRICT,
    lines = new LineSinks(sink),
  ) {
    this.#sink = sink;
    this.#budget = budget;
    this.#watch = watch;
    this.#decoder = decoder;
    this.#lines = lines;
  }

  /**
   * Handles one job, and charges the turn and the session for its cost. Returns the ticket for the batch of its
   * last record, undefined if it made no record.
   */
  handle(job: Job): BatchTicket | undefined {
    const { plain } = job.session;
    const quick = plain === undefined ? this.#quick(job) : this.#quickPlain(job, plain);
    const ticket = quick ?? this.#measured(job);
    this.#watch.observer?.handled(job, ticket);
    job.session.done();
    return ticket;
  }

  /** The short cut. Undefined if the line needs the complete decoder. */
  #quick({ session, bytes, start, end, receivedAtMs }: Job): BatchTicket | undefined {
    const scan = this.#scan;
    if (!isIdentified(session) || !scan.scan(bytes, start, end)) return undefined;
    const { seq, readingBytes } = scan;
    const maxBytes = this.#sink.maxReadingBytes - session.frame.excessBytes;
    if (readingBytes > maxBytes || (seq >= 0 && seq <= session.lastSeq)) return undefined;
    const { takes } = this.#decoder;
    // Between the tail's start and the reading are only `seq` and names, so the first brace opens the reading.
    if (takes !== undefined && !takes(bytes, bytes.indexOf(OPEN, scan.tailStart))) return undefined;
    const reading = this.#reading;
    reading.bytes = bytes;
    reading.start = scan.tailStart;
    reading.end = end;
    reading.whitespace = scan.whitespace;
    reading.receivedAtMs = receivedAtMs;
    reading.seq = seq;
    reading.traceparent =
      scan.traceAt < 0 ? undefined : bytes.subarray(scan.traceAt, scan.traceAt + TRACEPARENT_LENGTH);
    this.#budget.spend(quickLineNs(end - start));
    return this.#accept(session, seq, reading);
  }

  /** A plain line that becomes a record. Undefined if it is refused. */
  #quickPlain({ session, bytes, start, end, receivedAtMs }: Job, { scan, options }: PlainLines): Ticket {
    if (!isIdentified(session) || !scan.scan(bytes, start, end)) return undefined;
    const { frame } = session;
    const sink = this.#lines.sinkOf(bytes, scan.topic);
    const line = this.#line;
    const hasOwnPlace = options.keyField === null && !this.#lines.areSeveral;
    line.key = hasOwnPlace ? undefined : (plainKey(bytes, scan.key) ?? frame.key);
    if (scan.end - scan.start > largestLine(sink, frame, line.key)) return undefined;
    line.bytes = bytes;
    line.start = scan.start;
    line.end = scan.end;
    line.receivedAtMs = receivedAtMs;
    this.#budget.spend(quickLineNs(end - start));
    session.accept();
    return sink.append(session, line);
  }

  #refusePlain(job: Job, { scan }: PlainLines): void {
    const { session, bytes, start, end } = job;
    if (scan.isBlank(bytes, start, end)) session.accept();
    else if (!scan.scan(bytes, start, end)) session.refuse(scan.problem(bytes, start, end), job);
    else {
      const message = `an object of ${scan.end - scan.start} bytes, more than fit into a record of its topic`;
      session.refuse({ code: 'record_too_large', message }, job);
    }
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
    if (session.plain !== undefined) {
      this.#refusePlain(job, session.plain);
      return undefined;
    }
    const message = this.#decoder.decode(job.bytes, job.start, job.end);
    if (message.unknown !== undefined) session.warnUnknownField(message.unknown, seqOf(message));
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
      case 'time':
        session.accept();
        session.time();
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
    if (seq >= 0 && seq <= session.resumedSeq) {
      session.accept();
      session.alreadyStored(seq);
      return undefined;
    }
    // All or none: every reading is measured before the first one is appended.
    const largest = message.readings.reduce((max, text) => Math.max(max, Buffer.byteLength(text)), 0);
    if (!this.#admits(job, seq, largest) || !framesFit(job, session, message)) return undefined;
    const { receivedAtMs } = job;
    const parts = message.readings.map((text, index): Reading => {
      const bytes = Buffer.from(recordTail(message.seq, text));
      const confirms = index === message.readings.length - 1;
      const key = undefined;
      const traceparent = message.traceparent === undefined ? undefined : Buffer.from(message.traceparent);
      return {
        bytes,
        start: 0,
        end: bytes.length,
        whitespace: 0,
        receivedAtMs,
        seq,
        confirms,
        key,
        traceparent,
      };
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
    const { lastSeq, frame } = job.session;
    const maxBytes = Math.max(0, this.#sink.maxReadingBytes - (frame?.excessBytes ?? 0));
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

function emptyReading(): Reading {
  return {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    whitespace: 0,
    receivedAtMs: 0,
    seq: -1,
    confirms: true,
    key: undefined,
    traceparent: undefined,
  };
}

function largestLine(sink: RecordSink, frame: RecordFrame, key: Buffer | undefined): number {
  return sink.maxReadingBytes - (key === undefined ? frame.excessBytes : frame.excessWith(key));
}

/** False if the bytes around the readings are more than a message may take. The line is refused then. */
function framesFit(job: Job, { frame }: IdentifiedSession, { readings, seq }: Metrics): boolean {
  const most = Math.floor(MAX_FRAMES_BYTES / frame.bytes);
  if (readings.length <= most) return true;
  const message = `field 'data': with the tags and headers of this device a batch holds at most ${most} readings`;
  job.session.refuse({ code: 'invalid_message', message, seq }, job);
  return false;
}

function notIdentified(message: Metrics | Plain): Refusal {
  const seq = seqOf(message);
  return { type: 'refused', code: 'not_identified', message: 'the first message has to be identify', seq };
}

function seqOf(message: Decoded): number | undefined {
  return message.type === 'metrics' || message.type === 'refused' ? message.seq : undefined;
}
