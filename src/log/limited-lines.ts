// Limits lines that may come often: at most one of a line in its `everyMs`, with the latest fields and `count`, the number
// of times since the last one. It holds one counter for each line, or for each `kind` of it, and no line is forgotten.
import { type EventName, type FieldsOf, LINES, type LimitedEvent } from './lines.ts';
import { type RateLimited, rateLimited } from './rate-limited-log.ts';

type Fields = Readonly<Record<string, unknown>>;

interface Waiting {
  latest: Fields;
  readonly happened: RateLimited;
}

export class LimitedLines {
  readonly #waiting = new Map<string, Waiting>();
  readonly #write: (event: EventName, fields: Fields) => void;
  readonly #now: (() => number) | undefined;

  constructor(write: (event: EventName, fields: Fields) => void, now?: () => number) {
    this.#write = write;
    this.#now = now;
  }

  /** @param kind for several counters of one line. There must be few: never something that a device chooses */
  write<E extends LimitedEvent>(event: E, fields: FieldsOf<E>, kind = ''): void {
    const key = `${event} ${kind}`;
    let waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      waiting = this.#added(event);
      this.#waiting.set(key, waiting);
    }
    waiting.latest = fields;
    waiting.happened();
  }

  /** Writes the lines that are only counted yet. Call it before the end. */
  flush(): void {
    for (const { happened } of this.#waiting.values()) happened.flush();
  }

  #added(event: LimitedEvent): Waiting {
    const options = { everyMs: LINES[event].everyMs, ...(this.#now && { now: this.#now }) };
    const added: Waiting = {
      latest: {},
      happened: rateLimited(options, (count) => this.#write(event, { ...added.latest, count })),
    };
    return added;
  }
}
