// Decides whose job is next: deficit round robin by cost. Each session has a lane, first in, first out, and a credit in
// nanoseconds. When its turn comes a lane gets a quantum, is served until its credit is used up, and goes to the end of
// the line. A lane whose next job is a reading for a congested partition is parked meanwhile. It knows nothing of limits,
// and holds no lane without a job.
//
// A lane that becomes busy with credit left comes before all lanes that have used theirs up. So a device that sends a
// line now and then waits for no flood, and a lane of cheap lines waits for no other lane's expensive one. A lane gets
// one quantum a round, whether it has jobs or not, so nobody gains by being idle. (Like FQ-CoDel, RFC 8290.)
import { Congestion } from './congestion.ts';
import type { Job, Lane, Session } from './job.ts';

/** Nanoseconds for each lane and round, about 40 usual lines. */
export const QUANTUM_NS = 25_000;

/**
 * The limit of an idle lane's savings. A line can cost as much as many quanta, and while such lines are handled no round ends:
 * without savings a lane of cheap lines would use up its quantum meanwhile.
 */
export const MAX_SAVED_NS = 1_000_000;

// Cost of a usual line from the queue to its batch, as measured. Good enough to share by; time is measured elsewhere.
const LINE_NS = 300;
const BYTE_NS = 2;
/**
 * Limits of a line's extra charge, the larger one counts: time in which the process did not run must not count as the
 * line's cost. A short line is charged less than a quantum, so its lane still has its turn in the next round.
 */
const MAX_EXTRA_NS = 20_000;
const MAX_EXTRA_NS_PER_BYTE = 200;

/** Cost in nanoseconds of a line that MetricsScan takes. */
export function quickLineNs(bytes: number): number {
  return LINE_NS + BYTE_NS * bytes;
}

/** Charges the session of a job that was taken. @param ns cost of its line beside quickLineNs() */
export function chargeExtra({ session, start, end }: Job, ns: number): void {
  const { lane } = session;
  if (lane !== undefined)
    lane.credit -= Math.min(ns, Math.max(MAX_EXTRA_NS, MAX_EXTRA_NS_PER_BYTE * (end - start)));
}

/** The lane of a session. It is made at the session's first job. */
export function laneOf(session: Session): Lane {
  session.lane ??= {
    first: undefined,
    last: undefined,
    jobs: 0,
    bytes: 0,
    credit: QUANTUM_NS,
    round: 0,
    waits: false,
    isParked: false,
    next: undefined,
  };
  return session.lane;
}

/** Lanes in their order, as a list through the lanes themselves. */
class LaneList {
  first: Lane | undefined;
  count = 0;
  #last: Lane | undefined;

  push(lane: Lane): void {
    if (this.#last === undefined) this.first = lane;
    else this.#last.next = lane;
    this.#last = lane;
    this.count++;
  }

  shift(lane: Lane): void {
    this.first = lane.next;
    if (this.first === undefined) this.#last = undefined;
    lane.next = undefined;
    this.count--;
  }
}

export class Lanes {
  /** Lanes that have become busy with credit left. */
  readonly #fresh = new LaneList();
  /** Lanes that have used up a credit while they had jobs. */
  readonly #busy = new LaneList();
  /** The busy lane that has its turn. */
  #current: Lane | undefined;
  #round = 0;
  /** Busy lanes that have not had their turn in this round. */
  #turnsLeft = 0;
  /** Lanes whose partition is congested, by its number. */
  readonly #parked = new Map<number, Lane[]>();
  readonly #congestion: Congestion;
  readonly #resumed: () => void;

  /** @param resumed called when parked lanes have their turns again */
  constructor(congestion = new Congestion(), resumed: () => void = () => {}) {
    this.#congestion = congestion;
    this.#resumed = resumed;
  }

  /** Some lane is not parked. It may be about to be: that shows when its turn comes. */
  get haveTurns(): boolean {
    return this.#fresh.count + this.#busy.count > 0;
  }

  put(lane: Lane, job: Job): void {
    if (lane.last === undefined) {
      lane.first = job;
      this.#enter(lane);
    } else lane.last.next = job;
    lane.last = job;
    lane.jobs++;
    lane.bytes += job.end - job.start;
  }

  /** The next job, charged as a quick line. Undefined if there is none but those of parked lanes. */
  take(): Job | undefined {
    const lane = this.#next();
    const job = lane?.first;
    if (lane === undefined || job === undefined) return undefined;
    const bytes = job.end - job.start;
    lane.first = job.next;
    // A job that lives on must not keep all later ones in memory.
    job.next = undefined;
    lane.jobs--;
    lane.bytes -= bytes;
    lane.credit -= quickLineNs(bytes);
    if (lane.first === undefined) this.#leave(lane);
    return job;
  }

  #next(): Lane | undefined {
    let lane: Lane | undefined;
    for (lane = this.#fresh.first; lane !== undefined; lane = this.#fresh.first) {
      if (this.#parks(lane)) continue;
      if (lane.credit > 0) return lane;
      this.#fresh.shift(lane);
      this.#busy.push(lane);
    }
    for (lane = this.#busy.first; lane !== undefined; lane = this.#busy.first) {
      if (this.#parks(lane)) continue;
      if (lane !== this.#current) {
        this.#current = lane;
        lane.credit += QUANTUM_NS;
      }
      if (lane.credit > 0) return lane;
      this.#busy.shift(lane);
      this.#busy.push(lane);
      this.#endTurn();
    }
    return undefined;
  }

  #enter(lane: Lane): void {
    lane.credit = Math.min(MAX_SAVED_NS, lane.credit + (this.#round - lane.round) * QUANTUM_NS);
    if (lane.credit > 0) this.#fresh.push(lane);
    else this.#busy.push(lane);
  }

  #leave(lane: Lane): void {
    lane.last = undefined;
    lane.round = this.#round;
    this.#remove(lane);
    // Nobody waits, so nobody loses by it.
    if (!this.haveTurns) this.#round++;
  }

  #remove(lane: Lane): void {
    if (this.#fresh.first === lane) this.#fresh.shift(lane);
    else {
      this.#busy.shift(lane);
      this.#endTurn();
    }
  }

  /** Parks the lane that has its turn if its next job has to wait for its partition. */
  #parks(lane: Lane): boolean {
    if (!this.#congestion.exists || lane.first === undefined || !this.#congestion.holds(lane.first))
      return false;
    const { partition } = lane.first.session;
    this.#remove(lane);
    lane.isParked = true;
    const parked = this.#parked.get(partition);
    if (parked !== undefined) parked.push(lane);
    else {
      this.#parked.set(partition, [lane]);
      this.#congestion.whenOver(partition, () => this.#resume(partition));
    }
    return true;
  }

  #resume(partition: number): void {
    const lanes = this.#parked.get(partition) ?? [];
    this.#parked.delete(partition);
    for (const lane of lanes) {
      lane.isParked = false;
      // No savings: a flood must not come before a device that sends a line now and then.
      lane.round = this.#round;
      this.#enter(lane);
    }
    this.#resumed();
  }

  #endTurn(): void {
    this.#current = undefined;
    if (--this.#turnsLeft > 0) return;
    this.#round++;
    this.#turnsLeft = this.#busy.count;
  }
}
