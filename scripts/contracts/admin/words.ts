// Schemas that the others are made of: fixed words with their meanings, counts, times.
import { z } from 'zod';
import { QUESTION_LIMITS } from '../../../src/inspect/questions.ts';

/** One of some words. The meanings become the description. */
export function words<const Word extends string>(meanings: Readonly<Record<Word, string>>) {
  const names = Object.keys(meanings) as [Word, ...Word[]];
  const list = Object.entries<string>(meanings).map(([word, meaning]) => `- \`${word}\`: ${meaning}`);
  return z.enum(names).describe(list.join('\n'));
}

/** One of some words that need no explanation here. */
export function names<const Word extends string>(all: readonly Word[]) {
  return z.enum(all as readonly [Word, ...Word[]]);
}

export const count = () => z.int().min(0);
export const time = () => z.iso.datetime();
export const missing = () =>
  z
    .array(count())
    .describe(
      `Server processes that did not answer within ${QUESTION_LIMITS.timeoutMs / 1000} s, by their numbers.`,
    );
