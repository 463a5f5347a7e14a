// A connection's messages that wait for their confirmation, and when they were due: a ring with an entry for each
// write, so that 50 lines a write cost one entry.

const FIRST_CAPACITY = 16;

export class PendingWrites {
  #last = new Float64Array(FIRST_CAPACITY);
  #due = new Float64Array(FIRST_CAPACITY);
  #head = 0;
  #size = 0;
  /** The highest message that is confirmed; one below the first where none is. */
  #confirmed: number;
  #sent: number;
  /** Refused ones above #confirmed. */
  readonly #refused = new Set<number>();

  /** @param next the number of the first message of this connection */
  constructor(next: number) {
    this.#confirmed = next - 1;
    this.#sent = next - 1;
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  /** Messages without an answer. */
  get unconfirmed(): number {
    return this.#sent - this.#confirmed - this.#refused.size;
  }

  /** A write with the messages up to `last`, due at that time. */
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
   * All up to `seq` are confirmed. Tells of each write that this ends or begins how many of its messages are new,
   * and answers how many they are together.
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
