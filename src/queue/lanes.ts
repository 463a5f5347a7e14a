// Decides whose job is next: deficit round robin by cost. Each session has a lane, first in, first out, and a credit in
// nanoseconds. When its turn comes a lane gets a quantum, is served until its credit is used up, and goes to the end of
// the line. A lane whose next job is a reading for a congested partition is parked meanwhile. It knows nothing of limits.
//
// A lane that becomes busy with credit left comes before all lanes that have used theirs up. So a device that sends a
// line now and then waits for no flood, and a lane of cheap lines waits for no other lane's expensive one. A lane gets
// one quantum a round, whether it has jobs or not, so nobody gains by being idle. (Like FQ-CoDel, RFC 8290.)
//
// The lane of a session that waits for room keeps its turns also without a job: its lines come in when it has its turn.
// While it has credit that is before the lanes that have used theirs up, but after all jobs of such lanes.
import { Congestion } from './congestion.ts';
import type { Job, Lane, Session } from './job.ts';

/** Nanoseconds for each lane and round, about 150 usual lines: most reads are used up in one turn. */
export const QUANTUM_NS = 100_000;

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
  if (lane === undefined) return;
  const charged = Math.min(ns, Math.max(MAX_EXTRA_NS, MAX_EXTRA_NS_PER_BYTE * (end - start)));
  lane.credit -= charged;
  lane.costNs += charged;
}

/**
 * The number of lines that the lane's credit pays for, at least one, if they cost as much as those since the last call.
 * More would fill the queue, and the lane of an expensive sender would still have them after its turn.
 */
export function linesPaidFor(lane: Lane): number {
  const { taken, costNs, credit } = lane;
  lane.taken = lane.costNs = 0;
  return taken === 0 ? 1 : Math.max(1, Math.floor((credit * taken) / costNs));
}

/** The lane of a session. It is made at the session's first job. */
export function laneOf(session: Session): Lane {
  session.lane ??= {
    session,
    first: undefined,
    last: undefined,
    jobs: 0,
    bytes: 0,
    taken: 0,
    costNs: 0,
    credit: QUANTUM_NS,
    round: 0,
    waits: false,
    isParked: false,
    list: undefined,
    previous: undefined,
    next: undefined,
  };
  return session.lane;
}

/** Lanes in their order, as a list through the lanes themselves. A lane is in one list at most. */
class LaneList {
  first: Lane | undefined;
  count = 0;
  #last: Lane | undefined;

  push(lane: Lane): void {
    lane.list = this;
    lane.previous = this.#last;
    if (this.#last === undefined) this.first = lane;
    else this.#last.next = lane;
    this.#last = lane;
    this.count++;
  }

  remove(lane: Lane): void {
    const { previous, next } = lane;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    lane.list = lane.previous = lane.next = undefined;
    this.count--;
  }
}

export interface LanesOptions {
  readonly congestion?: Congestion;
  /** Parked lanes have their turns again. */
  readonly resumed?: () => void;
  /** The lane of a session that waits for room has its turn and no job: the session is to bring lines. */
  readonly refill?: (lane: Lane) => void;
}

export class Lanes {
  /** Lanes that have become busy with credit left. Each has a job. */
  readonly #fresh = new LaneList();
  /** Lanes with credit left whose sessions wait for room. */
  readonly #eager = new LaneList();
  /** Lanes that have used up a credit. */
  readonly #busy = new LaneList();
  /** The busy lane that has its turn. */
  #current: Lane | undefined;
  #round = 0;
  /** Busy lanes that have not had their turn in this round. */
  #turnsLeft = 0;
  /** Lanes whose partition is congested, by its number. */
  readonly #parked = new Map<number, LaneList>();
  readonly #congestion: Congestion;
  readonly #resumed: () => void;
  readonly #refill: (lane: Lane) => void;

  constructor({ congestion = new Congestion(), resumed = () => {}, refill = () => {} }: LanesOptions = {}) {
    this.#congestion = congestion;
    this.#resumed = resumed;
    this.#refill = refill;
  }

  /** Some lane is not parked. It may be about to be: that shows when its turn comes. */
  get haveTurns(): boolean {
    return this.#fresh.count + this.#eager.count + this.#busy.count > 0;
  }

  put(lane: Lane, job: Job): void {
    if (lane.last === undefined) lane.first = job;
    else lane.last.next = job;
    lane.last = job;
    lane.jobs++;
    lane.bytes += job.end - job.start;
    if (lane.list === undefined) this.#enter(lane);
  }

  /** The session waits for room: its lane has turns also without a job. */
  wait(lane: Lane): void {
    lane.waits = true;
    if (lane.list === undefined) this.#enter(lane);
  }

  /** The session does not wait any more. */
  endWait(lane: Lane): void {
    lane.waits = false;
    if (lane.first === undefined) this.#leave(lane);
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
    const ns = quickLineNs(bytes);
    lane.credit -= ns;
    lane.costNs += ns;
    lane.taken++;
    if (lane.first === undefined) this.#afterLast(lane);
    return job;
  }

  #next(): Lane | undefined {
    for (;;) {
      const lane = this.#fresh.first ?? this.#eager.first ?? this.#busy.first;
      if (lane === undefined) return undefined;
      if (this.#parks(lane)) continue;
      if (lane.list === this.#busy && lane !== this.#current) {
        this.#current = lane;
        lane.credit += QUANTUM_NS;
      }
      if (lane.credit <= 0) {
        const hadTurn = lane === this.#current;
        lane.list?.remove(lane);
        this.#place(lane);
        if (hadTurn) this.#endTurn(lane);
      } else if (lane.first === undefined) {
        this.#refillInTurn(lane);
      } else return lane;
    }
  }

  #refillInTurn(lane: Lane): void {
    lane.waits = false;
    this.#refill(lane);
    if (lane.first !== undefined) return;
    // Only a long line for a congested partition may find no room even now.
    if (lane.waits) this.#park(lane);
    else if (lane.list !== undefined) this.#leave(lane);
  }

  #enter(lane: Lane): void {
    lane.credit = Math.min(MAX_SAVED_NS, lane.credit + (this.#round - lane.round) * QUANTUM_NS);
    lane.round = this.#round;
    this.#place(lane);
  }

  #place(lane: Lane): void {
    if (lane.credit <= 0) this.#busy.push(lane);
    else if (lane.first !== undefined) this.#fresh.push(lane);
    else {
      // It may spend one quantum of its savings: a thousand floods may come at once.
      lane.credit = Math.min(lane.credit, QUANTUM_NS);
      this.#eager.push(lane);
    }
  }

  #afterLast(lane: Lane): void {
    lane.last = undefined;
    if (!lane.waits) this.#leave(lane);
    else if (lane.list === this.#fresh) {
      this.#fresh.remove(lane);
      this.#place(lane);
    }
  }

  #leave(lane: Lane): void {
    lane.round = this.#round;
    this.#remove(lane);
    // Nobody waits, so nobody loses by it.
    if (!this.haveTurns) this.#round++;
  }

  #remove(lane: Lane): void {
    const { list } = lane;
    list?.remove(lane);
    lane.isParked = false;
    if (list === this.#busy) this.#endTurn(lane);
  }

  /** Parks the lane that has its turn if its next job has to wait for its partition. */
  #parks(lane: Lane): boolean {
    if (!this.#congestion.exists || lane.first === undefined || !this.#congestion.holds(lane.first))
      return false;
    this.#park(lane);
    return true;
  }

  #park(lane: Lane): void {
    const { partition } = lane.session;
    this.#remove(lane);
    lane.isParked = true;
    const known = this.#parked.get(partition);
    const parked = known ?? new LaneList();
    parked.push(lane);
    if (known !== undefined) return;
    this.#parked.set(partition, parked);
    this.#congestion.whenOver(partition, () => this.#resume(partition));
  }

  #resume(partition: number): void {
    const parked = this.#parked.get(partition);
    this.#parked.delete(partition);
    for (let lane = parked?.first; lane !== undefined; lane = parked?.first) {
      parked?.remove(lane);
      lane.isParked = false;
      // No savings: a flood must not come before a device that sends a line now and then.
      lane.round = this.#round;
      this.#enter(lane);
    }
    this.#resumed();
  }

  #endTurn(lane: Lane): void {
    if (lane === this.#current) this.#current = undefined;
    if (--this.#turnsLeft > 0) return;
    this.#round++;
    this.#turnsLeft = this.#busy.count;
  }
}
