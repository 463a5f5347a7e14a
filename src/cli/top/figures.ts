// The figures of `sluice top`: those of the latest /stats, and the changes since the one before.
import { quantileOf, since } from '../../measure/histogram.ts';
import { histogramIn, listIn, numberIn, objectIn, textIn } from '../remote/fields.ts';

type Stats = Readonly<Record<string, unknown>>;

/** The latest figures with rates. Names of figures are those of /stats. */
export class Figures {
  readonly #now: Stats;
  readonly #before: Stats | undefined;

  /** @param before of the same start of the gateway; undefined if there is none */
  constructor(now: unknown, before: unknown) {
    this.#now = objectIn(now);
    const earlier = objectIn(before);
    // With another start, or the same answer again, there are no rates.
    const isEarlier = numberIn(earlier.uptimeSeconds) < numberIn(this.#now.uptimeSeconds);
    this.#before = before !== undefined && isEarlier ? earlier : undefined;
  }

  get version(): string {
    return textIn(this.#now.version);
  }

  get uptimeSeconds(): number {
    return numberIn(this.#now.uptimeSeconds);
  }

  get at(): string {
    return textIn(this.#now.at);
  }

  get ready(): boolean {
    return objectIn(this.#now.readiness).ready === true;
  }

  /** Of each server process, whether it answers. */
  get processes(): readonly boolean[] {
    return Object.values(objectIn(objectIn(this.#now.byProcess).up)).map((up) => up === 1);
  }

  /** Components that are not well, the worst first. */
  get troubles(): readonly Trouble[] {
    const all = listIn(this.#now.components).map((one) => {
      const { id, state, reason, remedy } = objectIn(one);
      return { id: textIn(id), state: textIn(state), reason: textIn(reason), remedy: textIn(remedy) };
    });
    return ['failed', 'degraded'].flatMap((state) => all.filter((one) => one.state === state));
  }

  value(name: string): number {
    return numberIn(fieldOf(this.#now, name));
  }

  /** A second. Null without an earlier figure. */
  rate(name: string): number | null {
    const before = this.#before;
    if (before === undefined) return null;
    const seconds = this.uptimeSeconds - numberIn(before.uptimeSeconds);
    return Math.max(0, this.value(name) - numberIn(fieldOf(before, name))) / seconds;
  }

  /** Of the values since the earlier figures. Null if there were none. */
  quantile(name: string, share: number): number | null {
    const now = histogramIn(fieldOf(this.#now, name));
    const before = this.#before && histogramIn(fieldOf(this.#before, name));
    const between = now && before && since(before, now);
    return between === undefined ? null : quantileOf(between, share);
  }
}

export interface Trouble {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly remedy: string;
}

function fieldOf(stats: Stats, name: string): unknown {
  const [group = '', key = ''] = name.split('.');
  return objectIn(stats[group])[key];
}
