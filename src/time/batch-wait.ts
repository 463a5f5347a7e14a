// How long lines wait for others, to share a read and a request to Kafka. The pauses between reads and the times of
// batches follow these rules. It holds no timer.
//
// A request with its answer costs about 600 us of CPU time while there are a hundred a second, for one record or for
// forty. So a batch waits on, up to KAFKA_BATCH_TIMEOUT, only while a request is still dear for the records it carries
// and while more of them come (docs/decisions/0080).

/** A batch may always wait this long, or KAFKA_BATCH_TIMEOUT if that is shorter. */
export const SHORT_WAIT_MS = 10;
/** From so many records on a request costs at most 15 us a record. Longer waits save little. */
const CHEAP_RECORDS = 40;
/** Lower bound of a read window with its pause: with Kafka's 4 ms, 99 of 100 records take less than 15 ms. */
const SHORT_WINDOW_MS = 8;
/** Upper bound of a read window: with Kafka's 4 ms, 99 of 100 records take less than 25 ms. */
const LONG_WINDOW_MS = 20;
/** Part of KAFKA_BATCH_TIMEOUT: if the last record is older, the next one is not expected in time. */
const SILENCE_SHARE = 0.25;

/** What has been gathered for the next request. */
export interface Gathered {
  readonly records: number;
  /** Age of the youngest record. */
  readonly silentMs: number;
  /** A device waits for `stored` of one of the records, perhaps before it sends the next. */
  readonly isAwaited: boolean;
}

/** The time that every batch may wait: half of the limit, at least SHORT_WAIT_MS. Never more than the limit. */
export function shortWaitMs(limitMs: number): number {
  return Math.min(limitMs, Math.max(SHORT_WAIT_MS, limitMs / 2));
}

/** Time between two looks at the sockets, in which CHEAP_RECORDS come. From SHORT_WINDOW_MS to LONG_WINDOW_MS. */
export function windowMs(recordsPerSecond: number, limitMs: number): number {
  const gatheringMs = (1000 * CHEAP_RECORDS) / recordsPerSecond;
  return Math.min(limitMs, Math.max(SHORT_WINDOW_MS, Math.min(LONG_WINDOW_MS, gatheringMs)));
}

/** Whether batches leave at the end of each read window: the window was their wait. A longer limit spans several. */
export function leavesWithWindow(limitMs: number): boolean {
  return limitMs <= LONG_WINDOW_MS;
}

/** Whether a request is cheap for the records that it carries. */
export function isCheap(records: number): boolean {
  return records >= CHEAP_RECORDS;
}

/** Whether more records are worth the rest of the limit. Asked when the short wait is over. */
export function isWorthWaiting({ records, silentMs, isAwaited }: Gathered, limitMs: number): boolean {
  return !isCheap(records) && !isAwaited && silentMs < SILENCE_SHARE * limitMs;
}
