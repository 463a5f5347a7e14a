// The lines that one connection received and their memory: slabs, or copies of lines that wait in the connection while
// slabs are scarce. It decides neither when a line is taken nor whether the device is read.
import type { JobSink, Session } from '../queue/job.ts';
import type { Framer } from './framer.ts';
import { type Slab, slabs } from './slabs.ts';

/** Memory under jobs that are not done. */
interface Lease {
  readonly slab: Slab | undefined;
  /** Bytes of a copy, 0 for a slab. */
  readonly copyBytes: number;
  /** The memory is free when this many jobs are done. */
  untilJob: number;
  /** The memory that is free after this. */
  next: Lease | undefined;
}

export interface LineInputOwner {
  /** Copies are no longer needed. */
  charge(): void;
}

export class LineInput {
  readonly framer: Framer;
  readonly #owner: LineInputOwner;
  // Jobs of a connection are done in their order, so two counters say which are left.
  #taken = 0;
  #done = 0;
  #isOffering = false;
  #wasHandledAtOnce = false;
  // Oldest first. A list through the leases: an array that is emptied at each read would allocate its memory again.
  #firstLease: Lease | undefined;
  #lastLease: Lease | undefined;
  #leasedCopyBytes = 0;
  /** The slab of the chunk that the framer reads from. */
  #slab: Slab | undefined;
  /** Lines wait in the slab, so it is held for them. */
  #isSlabHeld = false;
  /** Their bytes. */
  #slabBytes = 0;
  /** Size of the chunk that the framer reads from, if it has memory of its own. */
  #copyBytes = 0;

  constructor(framer: Framer, owner: LineInputOwner) {
    this.#owner = owner;
    this.framer = framer;
  }

  /** Jobs that are in the queue or with a worker. */
  get pendingJobs(): number {
    return this.#taken - this.#done;
  }

  /** Memory that this connection uses: its unfinished line, lines that wait in a slab, and its copies. */
  get heldBytes(): number {
    return this.framer.partialCapacity + this.#slabBytes + this.#copyBytes + this.#leasedCopyBytes;
  }

  /** Offers the framer's line. False if the sink has no room: the line waits in the framer. */
  offer(sink: JobSink, session: Session, receivedAtMs: number): boolean {
    const { bytes, start, end } = this.framer;
    this.#isOffering = true;
    this.#wasHandledAtOnce = false;
    const isTaken = sink.offer({ session, bytes, start, end, receivedAtMs, next: undefined });
    this.#isOffering = false;
    if (!isTaken) this.framer.unread();
    else if (!this.#wasHandledAtOnce) this.#taken++;
    return isTaken;
  }

  /** A job is done. False if it was done within its offer(). */
  jobDone(): boolean {
    if (this.#isOffering) {
      this.#wasHandledAtOnce = true;
      return false;
    }
    this.#done++;
    if (this.#firstLease !== undefined && this.#done >= this.#firstLease.untilJob) this.#release();
    return true;
  }

  /** @param slab of the chunk; undefined = the chunk has memory of its own */
  push(chunk: Uint8Array, slab: Slab | undefined): void {
    this.#slab = slab;
    this.#copyBytes = slab === undefined ? chunk.length : 0;
    this.framer.push(chunk);
  }

  /**
   * To be called once no further line can be taken. A line that waits keeps its whole slab in memory, so if slabs are
   * scarce the rest is copied out.
   */
  settle(): void {
    const { framer } = this;
    if (framer.isEmpty) {
      framer.release();
      if (this.#copyBytes > 0) this.#lease(undefined, this.#copyBytes);
      this.#copyBytes = 0;
      this.#leaveSlab();
    } else if (this.#slab !== undefined) {
      if (!this.#isSlabHeld && slabs.areScarce) {
        this.#copyBytes = framer.copyRest();
        this.#leaveSlab();
      } else {
        if (!this.#isSlabHeld) slabs.hold(this.#slab);
        this.#isSlabHeld = true;
        this.#countWaiting(framer.restBytes);
      }
    }
  }

  /** Drops the lines that were not taken. */
  clear(): void {
    this.framer.clear();
    this.settle();
  }

  /** The framer needs the slab no longer. The jobs that were taken from it may. */
  #leaveSlab(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    this.#slab = undefined;
    this.#lease(slab, 0);
    if (!this.#isSlabHeld) return;
    this.#isSlabHeld = false;
    this.#countWaiting(0);
    slabs.release(slab);
  }

  #countWaiting(bytes: number): void {
    slabs.waitingBytes += bytes - this.#slabBytes;
    this.#slabBytes = bytes;
  }

  #lease(slab: Slab | undefined, copyBytes: number): void {
    const untilJob = this.#taken;
    if (untilJob === this.#done) return;
    const last = this.#lastLease;
    // Reads that follow each other mostly share a slab.
    if (slab !== undefined && last?.slab === slab) {
      last.untilJob = untilJob;
      return;
    }
    if (slab !== undefined) slabs.hold(slab);
    this.#leasedCopyBytes += copyBytes;
    const lease: Lease = { slab, copyBytes, untilJob, next: undefined };
    if (last === undefined) this.#firstLease = lease;
    else last.next = lease;
    this.#lastLease = lease;
  }

  #release(): void {
    const copyBytesBefore = this.#leasedCopyBytes;
    let lease = this.#firstLease;
    for (; lease !== undefined && lease.untilJob <= this.#done; lease = lease.next) {
      if (lease.slab !== undefined) slabs.release(lease.slab);
      this.#leasedCopyBytes -= lease.copyBytes;
    }
    this.#firstLease = lease;
    if (lease === undefined) this.#lastLease = undefined;
    if (this.#leasedCopyBytes !== copyBytesBefore) this.#owner.charge();
  }
}
