// Many small reads cost far more than their lines: a system call, a wake-up and, on the way back, a TCP acknowledgement
// each. While there are many, the sockets are looked at in rounds: the event loop rests a few milliseconds, and what has
// come meanwhile is read at once. Network cards do the same and call it interrupt moderation.
//
// A rest is time that the lines would otherwise have waited in an open batch for others (KAFKA_BATCH_TIMEOUT), so
// batches leave at the end of each round and not later than before (docs/decisions/0014).

/** What gathers the lines of a round. */
export interface Round {
  begin(): void;
  /**
   * Sends off what would be due before the next round is over.
   * @returns false where lines or batches wait, so that there is no time for a rest
   */
  end(withinMs: number): boolean;
  /** Writes what was sent off and is sealed. */
  send(): void;
}

/** The longest rest, milliseconds: each reply and each answer of Kafka may wait as long. */
const MOST_REST_MS = 9;
/** What is left of a batch's time for reading and sending, milliseconds. */
const LEFT_OF_LINGER_MS = 1;
/** Fewer reads a second are not worth a rest. */
const LEAST_READS_PER_SECOND = 4000;
/** And with rests, which make fewer of them. */
const LEAST_READS_IN_ROUNDS = 1000;
const RATE_WINDOW_MS = 50;
/** On average a read: there is little to gain where they are larger anyway; */
const MOST_BYTES_PER_READ = 8 * 1024;
/** and after a rest they may be larger, for that is what it is for. */
const MOST_BYTES_IN_ROUNDS = 16 * 1024;
/** Reads that the average is of. */
const AVERAGED_READS = 200;
/** A device that sends so much at once must not have to wait for room in its TCP window. */
const MOST_BYTES_OF_ONE = 32 * 1024;
/** Work in units of the rest before it; with more there is no time to spare. */
const MOST_WORK = 3;
/** No rest for so long after one of these limits, milliseconds. */
const PAUSE_MS = 10;

const never = new Int32Array(new SharedArrayBuffer(4));

export class ReadPacer {
  /** Rests so far. */
  rests = 0;
  readonly #restMs: number;
  readonly #round: Round;
  #inRound = false;
  // Reads are many and small, so that rests are worth it; some may be left out all the same.
  #paces = false;
  #scheduled = false;
  #reads = 0;
  #bytes = 0;
  #largest = 0;
  #averageBytes = 0;
  /** When the last turn or rest was over. */
  #sinceMs = performance.now();
  #rateSinceMs = performance.now();
  #rateReads = 0;
  #readsPerSecond = 0;
  #notBeforeMs = 0;

  /** @param lingerMs how long a line may wait for others (KAFKA_BATCH_TIMEOUT); with 1 or less there are no rests */
  constructor(lingerMs: number, round: Round) {
    this.#restMs = Math.min(MOST_REST_MS, lingerMs - LEFT_OF_LINGER_MS);
    this.#round = round;
  }

  /** Something was read from a device, and its lines are on their way to the workers. */
  read(bytes: number): void {
    this.#reads++;
    this.#rateReads++;
    this.#bytes += bytes;
    if (bytes > this.#largest) this.#largest = bytes;
    if (!this.#scheduled && this.#restMs > 0) this.#schedule();
  }

  // The workers' turn was asked for before, so it comes before.
  #schedule(): void {
    this.#scheduled = true;
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    const rests = this.#isWorthIt();
    // A line may have come when the rest before began, and would have to wait until the next one is over.
    const keepsUp = rests ? this.#round.end(2 * this.#restMs) : !this.#inRound || this.#round.end(0);
    this.#inRound = false;
    this.#startCounting();
    if (!keepsUp) this.#notBeforeMs = this.#sinceMs + PAUSE_MS;
    if (rests && keepsUp) {
      // What leaves has to be on the wire before: sealed, and then written.
      afterMicrotasks(() => {
        this.#round.send();
        afterMicrotasks(() => this.#rest());
      });
    } else this.#scheduled = false;
  }

  #rest(): void {
    Atomics.wait(never, 0, 0, this.#restMs);
    this.rests++;
    this.#inRound = true;
    this.#round.begin();
    this.#sinceMs = performance.now();
    // Where nothing has come the round still has to end.
    this.#scheduled = false;
    setImmediate(() => {
      if (!this.#scheduled) this.#endTurn();
    });
  }

  #isWorthIt(): boolean {
    if (this.#reads === 0) return false;
    const nowMs = performance.now();
    const workMs = nowMs - this.#sinceMs;
    this.#measureRate(nowMs);
    const share = Math.min(1, this.#reads / AVERAGED_READS);
    this.#averageBytes += (this.#bytes / this.#reads - this.#averageBytes) * share;
    const [leastReads, mostBytes] = this.#paces
      ? [LEAST_READS_IN_ROUNDS, MOST_BYTES_IN_ROUNDS]
      : [LEAST_READS_PER_SECOND, MOST_BYTES_PER_READ];
    this.#paces = this.#readsPerSecond >= leastReads && this.#averageBytes <= mostBytes;
    const isTooMuch =
      this.#largest > MOST_BYTES_OF_ONE || (this.#inRound && workMs > MOST_WORK * this.#restMs);
    if (isTooMuch) this.#notBeforeMs = nowMs + PAUSE_MS;
    return this.#paces && nowMs >= this.#notBeforeMs;
  }

  #measureRate(nowMs: number): void {
    const passedMs = nowMs - this.#rateSinceMs;
    if (passedMs < RATE_WINDOW_MS) return;
    this.#readsPerSecond = (this.#rateReads * 1000) / passedMs;
    this.#rateSinceMs = nowMs;
    this.#rateReads = 0;
  }

  #startCounting(): void {
    this.#sinceMs = performance.now();
    this.#reads = 0;
    this.#bytes = 0;
    this.#largest = 0;
  }
}

/** Calls when everything is done that can be done without the event loop. */
function afterMicrotasks(callback: () => void): void {
  queueMicrotask(() => process.nextTick(callback));
}
