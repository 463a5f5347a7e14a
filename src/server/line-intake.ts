// The way of one connection's bytes to jobs: which protocol they begin, which lines they hold, and whether the next line
// may be taken. A line that may not waits in the framer. It closes nothing and knows no reply.
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { JobSink, LineBytes, Session } from '../queue/job.ts';
import type { ServerCounters } from './counters.ts';
import type { Deadlines } from './deadlines.ts';
import type { Ending } from './ending.ts';
import { FirstBytes } from './first-bytes.ts';
import type { LineInput } from './line-input.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';
import type { Slab } from './slabs.ts';
import type { Slowdown } from './slowdown.ts';

/** Hears of the input that is at fault. */
export interface LineFaults {
  /** A line, or the part of it that has come, is longer than the framer's limit. True if the next one is taken all the same. */
  lineTooLong(): boolean;
  /** The start of the next line cannot be found. */
  badFrame(): void;
  /** @param line the bytes that show it */
  wrongProtocol(protocol: ForeignProtocol, line: LineBytes): void;
  /** Lines come faster than a rate allows, and the device has to be told. */
  rateLimited(): void;
}

export interface IntakeParts {
  readonly session: Session;
  readonly sink: JobSink;
  readonly counters: ServerCounters;
  readonly lineTimeoutMs: number;
  readonly input: LineInput;
  readonly pauses: ReadPauses;
  readonly deadlines: Deadlines;
  readonly slowdown: Slowdown;
}

export class LineIntake {
  receivedLines = 0;
  readonly #parts: IntakeParts;
  readonly #ending: Ending;
  readonly #faults: LineFaults;
  #firstBytes: FirstBytes | undefined = new FirstBytes();
  /** Jobs that may be in the queue. One, if the next line depends on how the line before was judged. */
  #maxJobs = 1;
  #receivedAtMs = 0;
  /** The deadline `line` may be set. A look at it for each read would cost two cold objects. */
  #isLineTimed = false;

  constructor(parts: IntakeParts, ending: Ending, faults: LineFaults) {
    this.#parts = parts;
    this.#ending = ending;
    this.#faults = faults;
  }

  /** No line is taken before a job is done. */
  get isFull(): boolean {
    return this.#parts.input.pendingJobs >= this.#maxJobs;
  }

  /** To be called when the device has identified, and when the slowdown has changed. */
  setMaxJobs(): void {
    const { session, slowdown } = this.#parts;
    this.#maxJobs = session.frame === undefined || slowdown.isOneByOne ? 1 : Number.POSITIVE_INFINITY;
  }

  /** Takes the lines of the chunk. Returns the bytes that went in, with those that were held until now. */
  take(chunk: Uint8Array, slab: Slab | undefined): number {
    this.#receivedAtMs = Date.now();
    return this.#firstBytes === undefined
      ? this.#push(chunk, slab)
      : this.#takeFirstBytes(this.#firstBytes, chunk, slab);
  }

  /** FIN came: takes the bytes that are still undecided. Returns their number. */
  takeHeld(): number {
    const held = this.#firstBytes?.held;
    this.#firstBytes = undefined;
    return held !== undefined && held.length > 0 ? this.#push(held, undefined) : 0;
  }

  /** Takes lines until there are no more, or one has to wait. */
  takeLines(): void {
    const { input, pauses } = this.#parts;
    const ending = this.#ending;
    const { framer } = input;
    let isNewLine = false;
    while (!ending.hasBegun && !pauses.holdsLines) {
      if (this.isFull) {
        this.#endLineTime();
        if (!framer.isEmpty) pauses.begin(PAUSE.ownJob);
        return;
      }
      const result = framer.next();
      if (result === 'more') {
        this.#chargeSkipped();
        this.timeLine(isNewLine);
        return;
      }
      isNewLine = true;
      if (result !== 'line') {
        if (!this.#faultyLine(result)) return;
        continue;
      }
      this.#takeLine();
    }
  }

  /** After FIN: takes the rest without LF, once all lines before it are taken. */
  takeRest(): void {
    const { input, pauses } = this.#parts;
    const ending = this.#ending;
    const { framer } = input;
    if (!ending.isHalfClosed || !framer.isEmpty || pauses.holdsLines) return;
    if (framer.isMidLine) {
      if (this.isFull) return;
      const result = framer.finish();
      if (result === 'line') this.#takeLine();
      else if (result !== 'more') this.#faultyLine(result);
      if (!framer.isEmpty) return;
    }
    if (!ending.hasBegun) ending.allTaken();
  }

  /** @param isNewLine the unfinished line gets its whole time */
  timeLine(isNewLine: boolean): void {
    const { input, deadlines, lineTimeoutMs } = this.#parts;
    if (!input.framer.isMidLine) this.#endLineTime();
    else if (isNewLine || !deadlines.isSet('line')) {
      deadlines.set('line', lineTimeoutMs);
      this.#isLineTimed = true;
    }
  }

  #endLineTime(): void {
    if (!this.#isLineTimed) return;
    this.#isLineTimed = false;
    this.#parts.deadlines.clear('line');
  }

  /** True if the next line may be taken. */
  #faultyLine(result: 'too_long' | 'bad_frame'): boolean {
    const { input, slowdown } = this.#parts;
    this.#countLine();
    if (result === 'bad_frame') this.#faults.badFrame();
    else if (this.#faults.lineTooLong()) {
      this.setMaxJobs();
      const { start, end } = input.framer;
      input.framer.skip();
      if (slowdown.lineTaken(end - start + 1)) this.#faults.rateLimited();
      return true;
    }
    return false;
  }

  /** The rest of a line that is too long costs its sender as much as a line that is taken. */
  #chargeSkipped(): void {
    const { input, slowdown } = this.#parts;
    const bytes = input.framer.takeSkipped();
    if (bytes > 0 && slowdown.lineTaken(bytes, 0)) this.#faults.rateLimited();
  }

  #push(chunk: Uint8Array, slab: Slab | undefined): number {
    const { input } = this.#parts;
    input.push(chunk, slab);
    this.takeLines();
    input.settle();
    return chunk.length;
  }

  /** Bytes that may begin another protocol wait for those that decide: a PROXY header begins with two line ends. */
  #takeFirstBytes(firstBytes: FirstBytes, chunk: Uint8Array, slab: Slab | undefined): number {
    const protocol = firstBytes.judge(chunk);
    if (protocol === 'undecided') return 0;
    this.#firstBytes = undefined;
    if (protocol !== undefined) {
      this.#faults.wrongProtocol(protocol, { bytes: chunk, start: 0, end: chunk.length });
      return 0;
    }
    if (firstBytes.held.length === 0) return this.#push(chunk, slab);
    return this.#push(Buffer.concat([firstBytes.held, chunk]), undefined);
  }

  /** The line waits in the framer if the queue has no room. */
  #takeLine(): void {
    const { session, sink, input, pauses, slowdown } = this.#parts;
    const { bytes, start, end } = input.framer;
    // A browser must not get further lines in, even if it managed to send something before its request.
    if (session.frame === undefined && FirstBytes.isRequest(bytes, start, end)) {
      this.#faults.wrongProtocol('http', input.framer);
      return;
    }
    if (!input.offer(sink, session, this.#receivedAtMs)) {
      pauses.begin(PAUSE.queue);
      sink.awaitRoom(session);
      return;
    }
    this.#countLine();
    // It may have been refused and the connection closed within the offer.
    if (!this.#ending.hasBegun && slowdown.lineTaken(end - start + 1)) this.#faults.rateLimited();
  }

  #countLine(): void {
    this.#parts.counters.linesReceived++;
    this.receivedLines++;
  }
}
