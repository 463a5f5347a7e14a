// The messages of a connection that wait for their confirmation, and when they were due. A ring with one entry for each
// write, however many lines it has.

const FIRST_CAPACITY = 16;

export class PendingWrites {
  #last = new Float64Array(FIRST_CAPACITY);
  #due = new Float64Array(FIRST_CAPACITY);
  #head = 0;
  #size = 0;
  /** The highest confirmed message; at first one below the first message. */
  #confirmed: number;
  #sent: number;
  /** Refused messages above #confirmed. */
  readonly #refused = new Set<number>();

  /** @param next the number of the first message of this connection */
  constructor(next: number) {
    this.#confirmed = next - 1;
    this.#sent = next - 1;
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  /** Messages without a reply. */
  get unconfirmed(): number {
    return this.#sent - this.#confirmed - this.#refused.size;
  }

  /** Adds a write with the messages up to `last`, due at `dueUs`. */
  push(last: number, dueUs: number): void {
    if (this.#size === this.#last.length) this.#grow();
    const at = (this.#head + this.#size) % this.#last.length;
    this.#last[at] = last;
    this.#due[at] = dueUs;
    this.#size++;
    this.#sent = last;
  }

  refuse(seq: number): void {
    if (seq > this.#confirmed && seq <= this.#sent) this.#refused.add(seq);
  }

  /**
   * Confirms all messages up to `seq`. Calls `confirmed` for each write with newly confirmed messages, and returns
   * their total.
   */
  confirm(seq: number, confirmed: (dueUs: number, messages: number) => void): number {
    const upTo = Math.min(seq, this.#sent);
    let total = 0;
    while (this.#size > 0 && this.#confirmed < upTo) {
      const last = this.#last[this.#head] as number;
      const end = Math.min(last, upTo);
      const messages = end - this.#confirmed - this.#takeRefused(this.#confirmed, end);
      if (messages > 0) confirmed(this.#due[this.#head] as number, messages);
      total += messages;
      this.#confirmed = end;
      if (end === last) {
        this.#head = (this.#head + 1) % this.#last.length;
        this.#size--;
      }
    }
    return total;
  }

  #takeRefused(above: number, upTo: number): number {
    if (this.#refused.size === 0) return 0;
    let taken = 0;
    for (const seq of this.#refused) if (seq > above && seq <= upTo && this.#refused.delete(seq)) taken++;
    return taken;
  }

  #grow(): void {
    const old = { last: this.#last, due: this.#due };
    const capacity = old.last.length;
    this.#last = new Float64Array(capacity * 2);
    this.#due = new Float64Array(capacity * 2);
    for (let index = 0; index < this.#size; index++) {
      this.#last[index] = old.last[(this.#head + index) % capacity] as number;
      this.#due[index] = old.due[(this.#head + index) % capacity] as number;
    }
    this.#head = 0;
  }
}
