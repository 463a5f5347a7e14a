// Reads many small packets together: it pauses the event loop for a few milliseconds while packets gather in the
// kernel. It never touches a socket, and never pauses while lines or batches wait or connections come in.
//
// A read costs a system call, a wake-up and a TCP ack, far more than the line in it. The time between two pauses is a
// read window. A line waits in a pause instead of in an open batch (KAFKA_BATCH_TIMEOUT), and batches leave at the end
// of a window, so the latency stays the same. Network cards call this interrupt moderation (docs/decisions/0014, 0080).
import { leavesWithWindow, SHORT_WAIT_MS, windowMs } from '../time/batch-wait.ts';

/** Gathers the lines of a read window. */
export interface ReadWindow {
  /** Records of all lines since the start. */
  readonly records: number;
  /** The workers will handle further lines in the next turn of the event loop. */
  readonly goesOn: boolean;
  begin(): void;
  /** Hands on the bytes that were read and wait for more of their connection. read() is called for them. */
  handOn(): void;
  /**
   * Closes the batches that would be due before the next window ends.
   * @param withinMs until then; infinite if all batches leave with their window
   * @returns false if lines or batches wait, so that there is no time for a pause
   */
  end(withinMs: number): boolean;
  /**
   * Sends the batches that are closed.
   * @returns true if devices or further batches wait for Kafka's answer
   */
  send(): boolean;
}

/** Part of a window that is kept for reading and sending. A pause takes the rest, and replies wait for it. */
const RESERVED_MS = 1;
/** If Kafka's answer is waited for, the sockets are read once after so long. Most answers are there by then. */
const ANSWER_MS = 3;
/** Pauses begin at this rate and end below the second one: with pauses the same lines need fewer reads. */
const MIN_READS_PER_SECOND = 300;
const MIN_READS_PER_SECOND_PAUSING = 100;
const RATE_WINDOW_MS = 50;
/** Pauses begin up to this average size of a read and end above the second one: with pauses reads get larger. */
const MAX_BYTES_PER_READ = 8 * 1024;
const MAX_BYTES_PER_READ_PAUSING = 16 * 1024;
/** Reads in the moving average. */
const AVERAGED_READS = 200;
/** A device that sends more at once would wait for room in its TCP window during a pause. */
const MAX_BYTES_OF_ONE_READ = 32 * 1024;
/** If a window's work takes longer than this many pauses, there is no time to spare. */
const MAX_WORK_IN_PAUSES = 3;
/** When one of these limits is passed, there is no pause for so long. */
const BACKOFF_MS = 10;
/** After a connection came in. The next one is accepted in the next turn, which takes a few milliseconds under load. */
const CONNECT_BACKOFF_MS = 20;

/** The clock of the coalescer. Tests replace it. */
export interface PauseClock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Blocks the event loop. */
  pause(ms: number): void;
}

const never = new Int32Array(new SharedArrayBuffer(4));
const REAL_CLOCK: PauseClock = {
  now: () => performance.now(),
  pause: (ms) => void Atomics.wait(never, 0, 0, ms),
};

export class ReadCoalescer {
  /** Pauses since the start. */
  pauses = 0;
  readonly #lingerMs: number;
  readonly #window: ReadWindow;
  readonly #clock: PauseClock;
  #isWindowOpen = false;
  /** Reads are many and small. Single pauses are left out all the same until `#notBeforeMs`. */
  #isPausing = false;
  #isScheduled = false;
  #reads = 0;
  #bytes = 0;
  #largest = 0;
  #averageBytes = 0;
  /** End of the last turn or pause. */
  #sinceMs: number;
  #rateSinceMs: number;
  #rateReads = 0;
  #readsPerSecond = 0;
  #rateRecords = 0;
  /** Length of the next pause. */
  #pauseMs: number;
  /** Length of the last one. */
  #pausedMs = 0;
  #notBeforeMs = 0;
  /** Somebody needs short turns of the event loop until then, so there is no pause either. */
  #shortTurnsUntilMs = 0;

  /** @param lingerMs how long a line may wait for others (KAFKA_BATCH_TIMEOUT); 1 or less turns pauses off */
  constructor(lingerMs: number, window: ReadWindow, clock = REAL_CLOCK) {
    this.#lingerMs = lingerMs;
    this.#pauseMs = this.#shortPauseMs;
    this.#window = window;
    this.#clock = clock;
    this.#sinceMs = clock.now();
    this.#rateSinceMs = this.#sinceMs;
  }

  /** Counts a read from a device. Its lines have to be in the queue. */
  read(bytes: number): void {
    this.#reads++;
    this.#rateReads++;
    this.#bytes += bytes;
    if (bytes > this.#largest) this.#largest = bytes;
    if (!this.#isScheduled && this.#pauseMs > 0) this.#schedule();
  }

  get #shortWaitMs(): number {
    return Math.min(SHORT_WAIT_MS, this.#lingerMs);
  }

  get #shortPauseMs(): number {
    return this.#shortWaitMs - RESERVED_MS;
  }

  /** A connection came in, and others may wait: libuv accepts one a turn, so pauses would let in 77 a second. */
  connected(): void {
    this.#shortenTurns(this.#clock.now() + CONNECT_BACKOFF_MS);
  }

  /**
   * Milliseconds that lines may take in one turn of the event loop while reads are many and small, otherwise 0. It is the
   * length of a pause. Sockets are read once a turn, so short turns make small reads, even if there is no time for a pause.
   */
  get turnMs(): number {
    const isLong = this.#isPausing && this.#clock.now() >= this.#shortTurnsUntilMs;
    return isLong ? Math.min(this.#pauseMs, this.#shortPauseMs) : 0;
  }

  // The workers' setImmediate was called earlier, so the workers run first.
  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    // It may call read().
    this.#isScheduled = true;
    this.#window.handOn();
    // The window goes on with its lines. A backoff would make reads small and dear for its whole time. No batch is closed
    // meanwhile, so this takes no longer than a batch may wait.
    if (this.#isPausing && this.#window.goesOn && this.#clock.now() - this.#sinceMs < this.#shortWaitMs) {
      this.#schedule();
      return;
    }
    const isWorthIt = this.#isWorthIt();
    const keepsUp = isWorthIt
      ? this.#window.end(this.#nextEndMs)
      : !this.#isWindowOpen || this.#window.end(0);
    this.#isWindowOpen = false;
    this.#startCounting();
    if (!keepsUp) this.#notBeforeMs = this.#sinceMs + BACKOFF_MS;
    if (isWorthIt && keepsUp) {
      // The batches are compressed, and are written to their sockets here. With KAFKA_ACKS=0 that is all: their devices
      // are told in a microtask, before the pause.
      const wantsAnswer = this.#window.send() && this.#shortPauseMs > ANSWER_MS;
      afterMicrotasks(() => (wantsAnswer ? this.#pauseInTwo() : this.#pause(this.#pauseMs)));
    } else this.#isScheduled = false;
  }

  // Both pauses: a line may have come at the start of the last one and would wait until the next one is over.
  get #nextEndMs(): number {
    return leavesWithWindow(this.#lingerMs) ? Number.POSITIVE_INFINITY : this.#pausedMs + this.#pauseMs;
  }

  // Between the two parts the sockets are read once, so that `stored` does not wait for the whole pause. Lines that come
  // in with the answer wait for the end of the window. It is a short one, since the device may send its next line at once.
  #pauseInTwo(): void {
    this.#clock.pause(ANSWER_MS);
    this.#window.begin();
    // Two turns: sockets are read in the first, and what they brought is handled before the second.
    setImmediate(() => {
      this.#window.handOn();
      setImmediate(() => this.#pause(this.#shortPauseMs - ANSWER_MS));
    });
  }

  #pause(ms: number): void {
    this.#clock.pause(ms);
    this.pauses++;
    this.#pausedMs = ms;
    this.#isWindowOpen = true;
    this.#window.begin();
    this.#sinceMs = this.#clock.now();
    this.#isScheduled = false;
    // Without a read nothing else would end the window.
    setImmediate(() => {
      if (!this.#isScheduled) this.#endTurn();
    });
  }

  #isWorthIt(): boolean {
    if (this.#reads === 0) return false;
    const nowMs = this.#clock.now();
    const workMs = nowMs - this.#sinceMs;
    this.#measureRate(nowMs);
    const share = Math.min(1, this.#reads / AVERAGED_READS);
    this.#averageBytes += (this.#bytes / this.#reads - this.#averageBytes) * share;
    const [minReads, maxBytes] = this.#isPausing
      ? [MIN_READS_PER_SECOND_PAUSING, MAX_BYTES_PER_READ_PAUSING]
      : [MIN_READS_PER_SECOND, MAX_BYTES_PER_READ];
    this.#isPausing = this.#readsPerSecond >= minReads && this.#averageBytes <= maxBytes;
    const isTooMuch =
      this.#largest > MAX_BYTES_OF_ONE_READ ||
      (this.#isWindowOpen && workMs > MAX_WORK_IN_PAUSES * this.#pauseMs);
    if (isTooMuch) this.#shortenTurns(nowMs + BACKOFF_MS);
    return this.#isPausing && nowMs >= this.#notBeforeMs && nowMs >= this.#shortTurnsUntilMs;
  }

  #shortenTurns(untilMs: number): void {
    if (untilMs > this.#shortTurnsUntilMs) this.#shortTurnsUntilMs = untilMs;
  }

  #measureRate(nowMs: number): void {
    const passedMs = nowMs - this.#rateSinceMs;
    if (passedMs < RATE_WINDOW_MS) return;
    this.#readsPerSecond = (this.#rateReads * 1000) / passedMs;
    this.#rateSinceMs = nowMs;
    this.#rateReads = 0;
    const { records } = this.#window;
    const recordsPerSecond = ((records - this.#rateRecords) * 1000) / passedMs;
    this.#rateRecords = records;
    this.#pauseMs = windowMs(recordsPerSecond, this.#lingerMs) - RESERVED_MS;
  }

  #startCounting(): void {
    this.#sinceMs = this.#clock.now();
    this.#reads = 0;
    this.#bytes = 0;
    this.#largest = 0;
  }
}

/** Calls back once promises and process.nextTick have run, before the event loop goes on. */
function afterMicrotasks(callback: () => void): void {
  queueMicrotask(() => process.nextTick(callback));
}
