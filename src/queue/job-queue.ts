// The queue between connections and workers: bounded in jobs and bytes, fair by cost, and open to workers only while the
// turn of the event loop has time left. It looks into a line only to refuse it.
//
// A lane may hold a quarter of the jobs and bytes that are free, so however many devices flood it, there is room for
// others. While any are free it may hold a few jobs all the same, so that a small queue is not left empty. A lane without
// a job gets one in even if the queue is full, so that nobody is shut out: the queue holds at most its capacity and one
// job for each connection. Only if the bytes are used up, a long line waits as well.
//
// A session that found no room waits for the turn of its lane (lanes.ts). Then it brings as many lines as the lane's credit
// pays for, and they are taken at once. With TCP_JOB_QUEUE_FULL=drop a device's lines are refused instead, and its lane may
// hold all that is free, except while it is parked.
import { decodeLine } from '../protocol/messages.ts';
import { Congestion } from './congestion.ts';
import type { Job, JobSink, JobSinkStats, Lane, Session } from './job.ts';
import { Lanes, laneOf, linesPaidFor } from './lanes.ts';
import { TurnBudget } from './turn-budget.ts';

export interface JobQueueOptions {
  /** Maximum of waiting jobs (TCP_JOB_QUEUE_SIZE), except for one of each session. */
  readonly capacity: number;
  /** Maximum of bytes of the waiting lines, except for a short one of each session and a last one of any length. */
  readonly capacityBytes: number;
  readonly budget?: TurnBudget;
  /** Readings for these partitions are not given out. */
  readonly congestion?: Congestion;
  /** With TCP_JOB_QUEUE_FULL=drop: called for each line that is refused with `queue_full`. */
  readonly dropped?: () => void;
}

/** A lane may hold one of so many parts of the free room. */
const LANE_PARTS = 4;
/** Jobs that a lane may hold if there is room for them, whatever its part is. Fewer would be used up long before a turn is. */
const SMALL_LANE_JOBS = 16;
/** A line of this length gets in if its lane is empty, whatever else waits. */
const ALWAYS_ADMITTED_BYTES = 4096;
// With so many jobs a worker is woken at once instead of at the end of the turn.
const WAKE_AT_ONCE = 200;
// Sessions that offer a postponed line again in one turn of the event loop, for each millisecond of its budget: 256 or
// more. Thousands at once would hold up everything else.
const WAKES_PER_MS = 128;

export class JobQueue implements JobSink {
  readonly #capacity: number;
  readonly #capacityBytes: number;
  readonly #dropped: (() => void) | undefined;
  readonly #budget: TurnBudget;
  readonly #congestion: Congestion;
  readonly #lanes: Lanes;
  #depth = 0;
  #bytes = 0;
  /** Number of sessions that wait for room in their lanes. */
  #waiting = 0;
  /** The lane that has its turn, while its session brings lines. */
  #refilled: Lane | undefined;
  /** Lines that it may bring. */
  #paidLines = 0;
  /** With `drop`: sessions with a line for whose refusal the turn had no time. */
  readonly #postponed = new Set<Session>();
  #isOfferScheduled = false;
  readonly #takers: (() => void)[] = [];
  #wakePending = false;
  #wakeScheduled = false;
  #closed = false;

  constructor(options: JobQueueOptions) {
    const { capacity, capacityBytes, congestion = new Congestion() } = options;
    this.#capacity = capacity;
    this.#capacityBytes = capacityBytes;
    this.#budget = options.budget ?? new TurnBudget();
    this.#congestion = congestion;
    this.#lanes = new Lanes({
      congestion,
      resumed: () => this.#wakeLater(),
      refill: (lane) => this.#refill(lane),
    });
    this.#dropped = options.dropped;
  }

  get stats(): JobSinkStats {
    return {
      depth: this.#depth,
      capacity: this.#capacity,
      bytes: this.#bytes,
      capacityBytes: this.#capacityBytes,
    };
  }

  /** Sessions that wait for room. */
  get waitingSources(): number {
    return this.#waiting + this.#postponed.size;
  }

  /** True if some jobs, or sessions that wait, are not parked behind a congested partition. */
  get haveTurns(): boolean {
    return this.#lanes.haveTurns;
  }

  // --- called by connections ---

  offer(job: Job): boolean {
    const { session } = job;
    const lane = session.lane ?? laneOf(session);
    const bytes = job.end - job.start;
    if (!this.#admits(session, lane, bytes)) return this.#drop(job);
    this.#lanes.put(lane, job);
    this.#depth++;
    this.#bytes += bytes;
    if (lane === this.#refilled) return true;
    if (this.#depth >= WAKE_AT_ONCE) this.#wakeTaker();
    else this.#wakeLater();
    return true;
  }

  awaitRoom(session: Session): void {
    if (this.#mayDrop(session)) {
      this.#postpone(session);
      return;
    }
    const lane = laneOf(session);
    if (lane.waits) return;
    this.#waiting++;
    this.#lanes.wait(lane);
    this.#wakeLater();
  }

  forget(session: Session): void {
    const { lane } = session;
    if (lane?.waits) {
      this.#waiting--;
      this.#lanes.endWait(lane);
    } else if (!this.#postponed.delete(session)) return;
    this.#endTakersIfDrained();
  }

  // --- called by workers ---

  /** The next job. Undefined if all jobs wait for congested partitions, or if the turn of the event loop has no time left. */
  take(): Job | undefined {
    if (this.#budget.usedUp) return undefined;
    const job = this.#lanes.take();
    if (job !== undefined) {
      this.#depth--;
      this.#bytes -= job.end - job.start;
    }
    if (this.#closed) this.#endTakersIfDrained();
    return job;
  }

  /** Resolves when a job may be taken, or when none will come any more. Takers are woken one by one. */
  available(): Promise<void> {
    if (this.drained || this.#canTake) return Promise.resolve();
    if (this.#lanes.haveTurns) this.#wakeLater();
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** Wakes another taker if jobs are left. For a taker that is about to wait for something else. */
  passOn(): void {
    if (this.#canTake) this.#wakeTaker();
    else if (this.#lanes.haveTurns) this.#wakeLater();
  }

  /** Lets takers end once no job is left, and no session waits to bring one. */
  close(): void {
    this.#closed = true;
    this.#endTakersIfDrained();
  }

  /** True if the queue is closed and no job will come any more. */
  get drained(): boolean {
    return this.#closed && this.#depth === 0 && this.waitingSources === 0;
  }

  // --- room ---

  /** A sender of plain lines would not hear of it, and not send the line again: it waits. */
  #mayDrop({ plain }: Session): boolean {
    return this.#dropped !== undefined && plain === undefined;
  }

  #admits(session: Session, lane: Lane, bytes: number): boolean {
    if (lane === this.#refilled) return this.#admitsInTurn(lane, bytes);
    const free = this.#capacity - this.#depth;
    const freeBytes = this.#capacityBytes - this.#bytes;
    if (lane.jobs === 0) return this.#hasBytes(bytes);
    if (this.#mayDrop(session) && !lane.isParked) return free > 0 && bytes <= freeBytes;
    const hasPlace = lane.jobs < SMALL_LANE_JOBS ? free > 0 : LANE_PARTS * lane.jobs < free;
    return hasPlace && LANE_PARTS * (lane.bytes + bytes) <= freeBytes;
  }

  /** Lines that are about to be taken. The first one is taken in the same call, unless its partition is congested. */
  #admitsInTurn({ session, jobs, bytes: laneBytes }: Lane, bytes: number): boolean {
    const isCongested = this.#congestion.includes(session.partition);
    if (jobs === 0) return this.#hasBytes(bytes) || !isCongested;
    const hasPlace = jobs < this.#paidLines && this.#depth < this.#capacity;
    return hasPlace && laneBytes + bytes <= ALWAYS_ADMITTED_BYTES && !isCongested;
  }

  #hasBytes(bytes: number): boolean {
    return bytes <= ALWAYS_ADMITTED_BYTES || this.#bytes < this.#capacityBytes;
  }

  // To refuse a line costs time as well. When none is left the line waits for the next turn, to be refused or taken.
  #drop(job: Job): boolean {
    if (this.#dropped === undefined || !this.#mayDrop(job.session) || this.#budget.usedUp) return false;
    this.#dropped();
    this.#budget.measure(() => {
      const message = 'the job queue is full, the message was dropped';
      job.session.refuse({ code: 'queue_full', message, seq: seqOf(job) }, job);
      job.session.done();
    });
    return true;
  }

  /** The lane of a waiting session has its turn: its next lines come in. */
  #refill(lane: Lane): void {
    this.#waiting--;
    this.#refilled = lane;
    this.#paidLines = linesPaidFor(lane);
    lane.session.onRoom();
    this.#refilled = undefined;
  }

  /** With `drop`: the session offers its line again in the next turn. */
  #postpone(session: Session): void {
    this.#postponed.add(session);
    this.#scheduleOffer();
  }

  #scheduleOffer(): void {
    if (this.#isOfferScheduled || this.#postponed.size === 0) return;
    this.#isOfferScheduled = true;
    // A microtask later, so that workers who are woken in that turn take their jobs first.
    this.#budget.nextTurn(() => queueMicrotask(() => this.#offerAgain()));
  }

  #offerAgain(): void {
    this.#isOfferScheduled = false;
    const { size } = this.#postponed;
    const most = Math.ceil(WAKES_PER_MS * this.#budget.turnMs);
    let left = Math.min(size, most);
    // Those that are postponed once more come last.
    for (const session of this.#postponed) {
      if (left-- === 0) break;
      this.#postponed.delete(session);
      session.onRoom();
    }
    if (size > most) this.#budget.workIsLeft();
    this.#scheduleOffer();
    this.#endTakersIfDrained();
  }

  // --- wake-ups ---

  get #canTake(): boolean {
    return this.#lanes.haveTurns && !this.#budget.usedUp;
  }

  #wakeTaker(): void {
    if (this.#wakePending || !this.#canTake) return;
    const wake = this.#takers.pop();
    if (wake === undefined) return;
    this.#wakePending = true;
    queueMicrotask(() => {
      this.#wakePending = false;
    });
    wake();
  }

  // Once a turn: a wake-up for each read would cost as much as the lines of a small read.
  #wakeLater(): void {
    if (this.#wakeScheduled) return;
    this.#wakeScheduled = true;
    this.#budget.nextTurn(() => {
      this.#wakeScheduled = false;
      this.passOn();
    });
  }

  #endTakersIfDrained(): void {
    if (this.drained) for (const wake of this.#takers.splice(0)) wake();
  }
}

// The reply to a dropped line has to name its seq.
function seqOf({ bytes, start, end }: Job): number | undefined {
  const message = decodeLine(bytes, start, end);
  return message.type === 'metrics' || message.type === 'refused' ? message.seq : undefined;
}
