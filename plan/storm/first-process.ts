// The simulated first process of a gateway: it answers who gets a place, by the code of the real one.
import { Admission } from '../../src/server/admission.ts';
import { type Machine, Worker } from './worker.ts';

/** A server process, as far as the first one knows it. */
export interface Asker {
  /** Connections that wait for an answer. */
  asking: number;
}

export interface FirstHost<P extends Asker> {
  readonly placeUs: number;
  readonly maxConnections: number;
  isGone(ticket: number): boolean;
  refuse(ticket: number, atMs: number): void;
  admit(ticket: number, process: P, atMs: number): void;
}

interface Asked<P> {
  readonly ticket: number;
  readonly process: P;
}

/** No address has a cap here, so one stands for all. */
const ANY_ADDRESS = '10.0.0.1';
/** Events of a turn travel together. */
const MAX_PER_TURN = 64;

export class FirstProcess<P extends Asker> extends Worker {
  readonly #host: FirstHost<P>;
  readonly #admission: Admission;
  #asked: Asked<P>[] = [];
  #next = 0;

  constructor(host: FirstHost<P>, machine: Machine) {
    super(machine);
    this.#host = host;
    const { maxConnections } = host;
    this.#admission = new Admission({ maxConnections, maxPerAddress: 0, acceptsPerSecond: 0 });
  }

  ask(ticket: number, process: P, nowMs: number): void {
    this.#asked.push({ ticket, process });
    this.wake(nowMs);
  }

  /** A connection that had a place has ended. */
  release(): void {
    this.#admission.release(ANY_ADDRESS);
  }

  protected turn(startMs: number, slowness: number): number | undefined {
    if (this.#next === this.#asked.length) return undefined;
    let us = 0;
    for (let count = 0; count < MAX_PER_TURN && this.#next < this.#asked.length; count++) {
      const { ticket, process } = this.#asked[this.#next++] as Asked<P>;
      us += this.#host.placeUs;
      process.asking--;
      if (this.#host.isGone(ticket)) continue;
      const atMs = startMs + (us / 1000) * slowness;
      const verdict = this.#admission.admit(ANY_ADDRESS);
      if ('reason' in verdict) this.#host.refuse(ticket, atMs);
      else this.#host.admit(ticket, process, atMs);
    }
    if (this.#next === this.#asked.length) {
      this.#asked = [];
      this.#next = 0;
    }
    return us;
  }
}
