// Writes the replies of all connections at the end of a step of the event loop, and charges the turn for them. It knows
// neither the text of a reply nor the fate of a device that does not read.
import type { TurnBudget } from '../queue/turn-budget.ts';

interface Flushable {
  flush(): void;
}

/** The measured cost of a write to a socket, far more than that of the line that it answers. */
const WRITE_NS = 8000;

export class ReplyFlush {
  /** Bytes of replies that were handed to sockets. */
  sentBytes = 0;
  readonly #budget: TurnBudget;
  #waiting: Flushable[] = [];

  constructor(budget: TurnBudget) {
    this.#budget = budget;
  }

  /** Calls flush() once, before the event loop goes on. The turn is charged now, so that it takes no more lines than it can answer. */
  add(replies: Flushable): void {
    this.#budget.owe(WRITE_NS);
    if (this.#waiting.push(replies) === 1) process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#budget.pay(() => {
      for (const replies of waiting) replies.flush();
    });
  }
}
