// One timer for everything that a process does once a second, so that an idle process wakes up once and not for each of them.
// The beats of all processes of a machine fall together, so a message of one of them finds the others awake.

export const BEAT_MS = 1000;

export class Beat {
  readonly #clock: () => number;
  readonly #followers = new Set<{ readonly call: () => void }>();
  #timer: NodeJS.Timeout | undefined;

  /** @param clock monotonic milliseconds of the machine */
  constructor(clock: () => number = machineMs) {
    this.#clock = clock;
  }

  /**
   * Calls once a second, in the order of the calls of follow(). It does not keep the process alive.
   * @returns ends it
   */
  follow(call: () => void): () => void {
    const follower = { call };
    this.#followers.add(follower);
    this.#arm();
    return () => {
      this.#followers.delete(follower);
      if (this.#followers.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  #arm(): void {
    const left = BEAT_MS - (this.#clock() % BEAT_MS);
    // Node's timers may fire a millisecond early. The rest of that second is no beat of its own.
    this.#timer ??= setTimeout(() => this.#beat(), left < 2 ? left + BEAT_MS : left).unref();
  }

  #beat(): void {
    this.#timer = undefined;
    this.#arm();
    for (const { call } of this.#followers) call();
  }
}

/** By process: in a simulation several share a module. */
const beats = new WeakMap<NodeJS.Process, Beat>();

/** That of this process. */
export const beat: Pick<Beat, 'follow'> = {
  follow(call) {
    const own = beats.get(process) ?? new Beat();
    beats.set(process, own);
    return own.follow(call);
  },
};

/** The monotonic clock, which all processes of the machine share. */
function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
