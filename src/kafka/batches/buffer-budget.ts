// The memory budget for unconfirmed records (KAFKA_BUFFER_BYTES). It counts bytes and never allocates any.

export class BufferBudget {
  readonly capacity: number;
  /** The bytes from which on there is no room: the capacity, less the room for one message. */
  readonly usable: number;
  #used = 0;
  #freed = 0;
  #waiters: ((room: boolean) => void)[] = [];
  #closed = false;

  /**
   * @param reserve bytes that one message may need; there is room while at least this much is free
   * @throws RangeError if the reserve exceeds the capacity, which would pause every device for ever
   */
  constructor(capacity: number, reserve: number) {
    if (reserve > capacity) throw new RangeError(`a buffer of ${capacity} bytes has no room for ${reserve}`);
    this.capacity = capacity;
    this.usable = capacity - reserve;
  }

  get used(): number {
    return this.#used;
  }

  hasRoom(): boolean {
    return this.#used <= this.usable;
  }

  /** How many times there was room again. If it stays the same while there is no room, nothing has left. */
  get freed(): number {
    return this.#freed;
  }

  /** Resolves with true when there may be room, with false once closed. */
  room(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    if (this.hasRoom()) return Promise.resolve(true);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  release(bytes: number): void {
    const wasFull = !this.hasRoom();
    this.#used -= bytes;
    if (wasFull && this.hasRoom()) this.#freed++;
    if (this.#waiters.length > 0 && this.hasRoom()) this.#wake(true);
  }

  close(): void {
    this.#closed = true;
    this.#wake(false);
  }

  #wake(room: boolean): void {
    for (const waiter of this.#waiters.splice(0)) waiter(room);
  }
}
