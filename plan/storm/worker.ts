// A process of a simulated machine: it works in turns of its event loop, and is slower while more processes want to run
// than there are cores.

/** The cores that several workers share. */
export class Machine {
  /** Workers that have work. */
  runnable = 0;
  readonly #cores: number;

  /** @param background share of the cores that other work takes */
  constructor(cores: number, background: number) {
    this.#cores = cores * (1 - background);
  }

  /** How many times its CPU time a turn takes. */
  get slowness(): number {
    return Math.max(1, this.runnable / this.#cores);
  }
}

export abstract class Worker {
  /** CPU time so far, microseconds. */
  cpuUs = 0;
  readonly machine: Machine;
  #nextMs = 0;
  #isBusy = false;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** There is work. */
  wake(nowMs: number): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.machine.runnable++;
    if (this.#nextMs < nowMs) this.#nextMs = nowMs;
  }

  /** All turns that begin before this time. */
  run(untilMs: number): void {
    while (this.#isBusy && this.#nextMs < untilMs) {
      const { slowness } = this.machine;
      const us = this.turn(this.#nextMs, slowness);
      if (us === undefined) {
        this.#isBusy = false;
        this.machine.runnable--;
      } else {
        this.cpuUs += us;
        this.#nextMs += (us / 1000) * slowness;
      }
    }
  }

  /** Does the work of one turn of the event loop. Returns its CPU time in microseconds, undefined if there was nothing to do. */
  protected abstract turn(startMs: number, slowness: number): number | undefined;
}
