// The way of one connection's bytes to jobs: which protocol they begin, which lines they hold, and whether the next line
// may be taken. A line that may not waits in the framer. It closes nothing and knows no reply.
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { JobSink, LineBytes, Session } from '../queue/job.ts';
import { NO_BYTES } from './chunk-framer.ts';
import type { ServerCounters } from './counters.ts';
import type { Deadlines } from './deadlines.ts';
import type { Ending } from './ending.ts';
import { beginsRequest, judgeFirstBytes } from './first-bytes.ts';
import type { LineInput } from './line-input.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';
import type { Slab } from './slabs.ts';
import type { Slowdown } from './slowdown.ts';

/** The faults of lines. */
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

/** The connection as its intake sees it. */
export interface IntakeParts extends Session {
  readonly host: {
    readonly sink: JobSink;
    readonly counters: ServerCounters;
    readonly options: { readonly lineTimeoutMs: number };
  };
  readonly input: LineInput;
  readonly readPauses: ReadPauses;
  readonly deadlines: Deadlines;
  readonly ending: Ending;
  /** Hears of the input that is at fault. */
  readonly refusals: LineFaults;
  /** Undefined while nothing slows the connection down. */
  readonly slowdown: Slowdown | undefined;
}

/** More than the jobs of one connection ever are. Infinity would be an object of its own in each connection. */
const MANY_JOBS = 2 ** 31 - 1;

export class LineIntake {
  receivedLines = 0;
  readonly #parts: IntakeParts;
  /** The first bytes until they tell that a device speaks, then undefined. */
  #undecided: Uint8Array | undefined = NO_BYTES;
  /** Jobs that may be in the queue. One, if the next line depends on how the line before was judged. */
  #maxJobs = 1;
  #receivedAtMs = 0;
  /** The deadline `line` may be set. A look at it for each read would cost two cold objects. */
  #isLineTimed = false;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.setMaxJobs();
  }

  /** No line is taken before a job is done. */
  get isFull(): boolean {
    return this.#parts.input.pendingJobs >= this.#maxJobs;
  }

  /** To be called when the device has identified, and when the slowdown has changed. */
  setMaxJobs(): void {
    const { frame, slowdown } = this.#parts;
    this.#maxJobs = frame === undefined || slowdown?.isOneByOne === true ? 1 : MANY_JOBS;
  }

  /** Takes the lines of the chunk. Returns the bytes that went in, with those that were held until now. */
  take(chunk: Uint8Array, slab: Slab | undefined): number {
    this.#receivedAtMs = Date.now();
    return this.#undecided === undefined
      ? this.#push(chunk, slab)
      : this.#takeFirstBytes(this.#undecided, chunk, slab);
  }

  /** FIN came: takes the bytes that are still undecided. Returns their number. */
  takeHeld(): number {
    const held = this.#undecided;
    this.#undecided = undefined;
    return held !== undefined && held.length > 0 ? this.#push(held, undefined) : 0;
  }

  /** Takes lines until there are no more, or one has to wait. */
  takeLines(): void {
    const { input, readPauses: pauses, ending } = this.#parts;
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
    const { input, readPauses: pauses, ending } = this.#parts;
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
    const { input, deadlines, host } = this.#parts;
    if (!input.framer.isMidLine) this.#endLineTime();
    else if (isNewLine || !deadlines.isSet('line')) {
      deadlines.set('line', host.options.lineTimeoutMs);
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
    const { input, refusals } = this.#parts;
    this.#countLine();
    if (result === 'bad_frame') refusals.badFrame();
    else if (refusals.lineTooLong()) {
      this.setMaxJobs();
      const { start, end } = input.framer;
      input.framer.skip();
      this.#charge(end - start + 1);
      return true;
    }
    return false;
  }

  /** The rest of a line that is too long costs its sender as much as a line that is taken. */
  #chargeSkipped(): void {
    const bytes = this.#parts.input.framer.takeSkipped();
    if (bytes > 0) this.#charge(bytes, 0);
  }

  /** Charges the rates. @param lines 0 for further bytes of the same line */
  #charge(bytes: number, lines = 1): void {
    const { slowdown, refusals } = this.#parts;
    if (slowdown?.lineTaken(bytes, lines)) refusals.rateLimited();
  }

  #push(chunk: Uint8Array, slab: Slab | undefined): number {
    const { input } = this.#parts;
    input.push(chunk, slab);
    this.takeLines();
    input.settle();
    return chunk.length;
  }

  /** Bytes that may begin another protocol wait for those that decide: a PROXY header begins with two line ends. */
  #takeFirstBytes(held: Uint8Array, chunk: Uint8Array, slab: Slab | undefined): number {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const protocol = judgeFirstBytes(bytes);
    if (protocol === 'undecided') {
      this.#undecided = Buffer.from(bytes);
      return 0;
    }
    this.#undecided = undefined;
    if (protocol !== undefined) {
      this.#parts.refusals.wrongProtocol(protocol, { bytes: chunk, start: 0, end: chunk.length });
      return 0;
    }
    return this.#push(bytes, bytes === chunk ? slab : undefined);
  }

  /** The line waits in the framer if the queue has no room. */
  #takeLine(): void {
    const session = this.#parts;
    const { input, host } = session;
    const { bytes, start, end } = input.framer;
    // A browser must not get further lines in, even if it managed to send something before its request.
    if (session.frame === undefined && beginsRequest(bytes, start, end)) {
      session.refusals.wrongProtocol('http', input.framer);
      return;
    }
    if (!input.offer(host.sink, session, this.#receivedAtMs)) {
      session.readPauses.begin(PAUSE.queue);
      host.sink.awaitRoom(session);
      return;
    }
    this.#countLine();
    // It may have been refused and the connection closed within the offer.
    if (!session.ending.hasBegun) this.#charge(end - start + 1);
  }

  #countLine(): void {
    this.#parts.host.counters.linesReceived++;
    this.receivedLines++;
  }
}
