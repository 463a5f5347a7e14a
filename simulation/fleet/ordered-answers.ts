// The lines of a connection whose answers come in the order of the lines: refused lines and keepalives (docs/protocol.md,
// "Which line an error is about"). A confirmation passes a refused line only after its error.

/** A keepalive, or a line that is refused with this code. */
export interface DueAnswer {
  /** `alive` or the code of the error. */
  readonly answer: string;
  readonly seq?: number | undefined;
}

/** The list is cut after so many answers. */
const CUT_AFTER = 1000;

export class OrderedAnswers {
  #due: DueAnswer[] = [];
  /** Those before it are answered. */
  #next = 0;
  /** Lines without `seq` that a full queue has dropped. Nobody can say which of the due ones they were. */
  #dropped = 0;

  get areDue(): boolean {
    return this.#due.length - this.#next > this.#dropped;
  }

  sent(due: DueAnswer): void {
    this.#due.push(due);
  }

  /** A line without `seq` was dropped. */
  dropped(): void {
    this.#dropped++;
  }

  /** Whether a line with this answer waits for it. */
  isDue(heard: DueAnswer): boolean {
    return this.#find(heard) >= 0;
  }

  /** @returns what is wrong with this answer now, if anything */
  heard(heard: DueAnswer): string | undefined {
    const at = this.#find(heard);
    if (at < 0) return `nobody asked for ${inWords(heard)}`;
    const skipped = this.#due.slice(this.#next, at);
    this.#next = at + 1;
    if (this.#next >= CUT_AFTER) {
      this.#due = this.#due.slice(this.#next);
      this.#next = 0;
    }
    this.#dropped -= skipped.length;
    if (this.#dropped >= 0) return undefined;
    this.#dropped = 0;
    return `${inWords(heard)} came before ${skipped.map(inWords)}`;
  }

  /** @returns what is wrong with a confirmation up to this `seq`, if anything */
  stored(upTo: number): string | undefined {
    for (let at = this.#next; at < this.#due.length; at++) {
      const due = this.#due[at];
      if (due?.seq === undefined) continue;
      // They rise.
      if (due.seq > upTo) return undefined;
      return `stored ${upTo} came before ${inWords(due)}`;
    }
    return undefined;
  }

  /** Whether the line with this `seq` was due. It was dropped by a full queue instead. */
  droppedSeq(seq: number): boolean {
    const at = this.#due.findIndex((due, index) => index >= this.#next && due.seq === seq);
    if (at >= 0) this.#due.splice(at, 1);
    return at >= 0;
  }

  #find({ answer, seq }: DueAnswer): number {
    for (let at = this.#next; at < this.#due.length; at++) {
      const due = this.#due[at];
      if (due?.answer === answer && due.seq === seq) return at;
    }
    return -1;
  }
}

const inWords = ({ answer, seq }: DueAnswer): string => (seq === undefined ? answer : `${answer} ${seq}`);
