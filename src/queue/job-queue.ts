// The queue between connections and workers: bounded in jobs and bytes, fair by cost, and open to workers only while the
// turn of the event loop has time left. It looks into a line only to refuse it.
//
// A lane may hold a quarter of the jobs and bytes that are free, so however many devices flood it, there is room for
// others. While any are free it may hold a few jobs all the same, so that a small queue is not left empty. A lane without
// a job gets one in even if the queue is full, so that nobody is shut out: the queue holds at most its capacity and one
// job for each connection. Only if the bytes are used up, a long line waits as well. With TCP_JOB_QUEUE_FULL=drop, where
// no line waits for room, a lane may hold all that is free, except while it is parked (lanes.ts).
import { decodeLine } from '../protocol/messages.ts';
import type { Congestion } from './congestion.ts';
import type { Job, JobSink, JobSinkStats, Lane, Session } from './job.ts';
import { Lanes, laneOf } from './lanes.ts';
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
// Sessions woken in one turn of the event loop, for each millisecond of its budget: 256 or more. To resume thousands at
// once would hold up everything else.
const WAKES_PER_MS = 128;

export class JobQueue implements JobSink {
  readonly #capacity: number;
  readonly #capacityBytes: number;
  readonly #dropped: (() => void) | undefined;
  readonly #budget: TurnBudget;
  readonly #lanes: Lanes;
  #depth = 0;
  #bytes = 0;
  /** Number of sessions that wait for room. */
  #waiting = 0;
  /** Waiting sessions with room in their lane, in the order in which they got it. */
  readonly #ready = new Set<Session>();
  /** Waiting sessions whose lane is empty: for their long line there are no bytes left. */
  readonly #longLines = new Set<Session>();
  #grantScheduled = false;
  readonly #takers: (() => void)[] = [];
  #wakePending = false;
  #wakeScheduled = false;
  #closed = false;

  constructor({ capacity, capacityBytes, budget, congestion, dropped }: JobQueueOptions) {
    this.#capacity = capacity;
    this.#capacityBytes = capacityBytes;
    this.#budget = budget ?? new TurnBudget();
    this.#lanes = new Lanes(congestion, () => this.#wakeLater());
    this.#dropped = dropped;
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
    return this.#waiting;
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
    if (this.#depth >= WAKE_AT_ONCE) this.#wakeTaker();
    else this.#wakeLater();
    return true;
  }

  awaitRoom(session: Session): void {
    const lane = laneOf(session);
    if (lane.waits) return;
    lane.waits = true;
    this.#waiting++;
    if (lane.jobs === 0) this.#longLines.add(session);
    else if (this.#mayDrop(session) || this.#hasRoom(lane)) this.#ready.add(session);
    this.#scheduleGrant();
  }

  forget(session: Session): void {
    const { lane } = session;
    if (!lane?.waits) return;
    this.#endWait(session, lane);
    this.#endTakersIfDrained();
  }

  // --- called by workers ---

  /** The next job. Undefined if all jobs wait for congested partitions, or if the turn of the event loop has no time left. */
  take(): Job | undefined {
    if (this.#budget.usedUp) return undefined;
    const job = this.#lanes.take();
    if (job === undefined) return undefined;
    this.#depth--;
    this.#bytes -= job.end - job.start;
    if (this.#waiting > 0) this.#afterTake(job.session);
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
    return this.#closed && this.#depth === 0 && this.#waiting === 0;
  }

  // --- room ---

  /** A sender of plain lines would not hear of it, and not send the line again: it waits. */
  #mayDrop({ plain }: Session): boolean {
    return this.#dropped !== undefined && plain === undefined;
  }

  #admits(session: Session, lane: Lane, bytes: number): boolean {
    const free = this.#capacity - this.#depth;
    const freeBytes = this.#capacityBytes - this.#bytes;
    if (lane.jobs === 0) return bytes <= ALWAYS_ADMITTED_BYTES || freeBytes > 0;
    if (this.#mayDrop(session) && !lane.isParked) return free > 0 && bytes <= freeBytes;
    const hasPlace = lane.jobs < SMALL_LANE_JOBS ? free > 0 : LANE_PARTS * lane.jobs < free;
    return hasPlace && LANE_PARTS * (lane.bytes + bytes) <= freeBytes;
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

  // A lane comes in again when it is half empty. Otherwise each job taken would wake its session.
  #hasRoom(lane: Lane): boolean {
    const { jobs } = lane;
    if (jobs === 0) return true;
    const free = this.#capacity - this.#depth;
    const hasPlaces = 2 * jobs <= SMALL_LANE_JOBS ? jobs <= free : 2 * LANE_PARTS * jobs <= free;
    return hasPlaces && 2 * LANE_PARTS * lane.bytes <= this.#capacityBytes - this.#bytes;
  }

  // Lanes are served in a fair order, so their sessions become ready in one.
  #afterTake(session: Session): void {
    const { lane } = session;
    if (lane?.waits && this.#hasRoom(lane)) this.#ready.add(session);
    this.#scheduleGrant();
  }

  #endWait(session: Session, lane: Lane): void {
    lane.waits = false;
    this.#waiting--;
    this.#ready.delete(session);
    this.#longLines.delete(session);
  }

  get #hasRoomForLongLines(): boolean {
    return this.#longLines.size > 0 && this.#bytes < this.#capacityBytes;
  }

  #scheduleGrant(): void {
    if (this.#grantScheduled || (this.#ready.size === 0 && !this.#hasRoomForLongLines)) return;
    this.#grantScheduled = true;
    // A microtask later, so that workers who were woken in this turn take their jobs first.
    this.#budget.nextTurn(() =>
      queueMicrotask(() => {
        this.#grantScheduled = false;
        this.#grant();
      }),
    );
  }

  #grant(): void {
    let left = Math.ceil(WAKES_PER_MS * this.#budget.turnMs);
    for (const session of this.#ready) {
      if (left-- === 0) break;
      this.#letIn(session);
    }
    if (this.#hasRoomForLongLines)
      for (const session of this.#longLines) {
        if (left-- <= 0 || !this.#hasRoomForLongLines) break;
        this.#letIn(session);
      }
    if (left < 0) this.#budget.workIsLeft();
    this.#scheduleGrant();
    this.#endTakersIfDrained();
  }

  #letIn(session: Session): void {
    this.#endWait(session, laneOf(session));
    session.onRoom();
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
