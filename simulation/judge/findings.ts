// Gathers the findings of a history by rule, with a few examples of each.
import type { Finding, Rule } from './facts.ts';

/** Examples of each rule; the total is always given. */
const EXAMPLES = 3;

export class Findings {
  readonly #byRule = new Map<Rule, { count: number; readonly examples: string[] }>();

  add(rule: Rule, text: string): void {
    const known = this.#byRule.get(rule) ?? { count: 0, examples: [] };
    this.#byRule.set(rule, known);
    known.count++;
    if (known.examples.length < EXAMPLES) known.examples.push(text);
  }

  countOf(rule: Rule): number {
    return this.#byRule.get(rule)?.count ?? 0;
  }

  /** One for each rule, in the order in which they were first broken. */
  get list(): readonly Finding[] {
    return [...this.#byRule].map(([rule, { count, examples }]) => ({
      rule,
      text: `${count === 1 ? '' : `${count} times: `}${examples.join('; ')}`,
    }));
  }
}
