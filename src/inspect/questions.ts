// The questions that the admin port asks the server processes, with the form of each question and its answer. Both are
// JSON: small, and pages of a list instead of the list. How a process answers is in gateway/answers.ts.

import type { Kicked, KickOrder } from './connections/kick.ts';
import type { ConnectionPage, ConnectionQuery } from './connections/page.ts';
import type { RefusalSample, TapAnswer, TapQuestion } from './line-questions.ts';
import type { ProfileAnswer, ProfileQuestion } from './profile-question.ts';

export interface Questions {
  readonly connections: { readonly asks: ConnectionQuery; readonly answers: ConnectionPage };
  readonly kick: { readonly asks: KickOrder; readonly answers: Kicked };
  readonly refusals: { readonly asks: null; readonly answers: readonly RefusalSample[] };
  /** Null: there are too many taps. */
  readonly tap: { readonly asks: TapQuestion; readonly answers: TapAnswer | null };
  readonly profile: { readonly asks: ProfileQuestion; readonly answers: ProfileAnswer };
  readonly process: { readonly asks: null; readonly answers: ProcessAbout };
}

/** Of a process, beside its figures. */
export interface ProcessAbout {
  readonly pid: number;
  /** Of Node, as `22.11.0`. */
  readonly node: string;
  readonly uptimeSeconds: number;
  readonly heapTotalBytes: number;
  readonly externalBytes: number;
  readonly arrayBuffersBytes: number;
}

export type QuestionName = keyof Questions;
export type Asks<N extends QuestionName> = Questions[N]['asks'];
export type Answer<N extends QuestionName> = Questions[N]['answers'];

/** How a process answers each question. A list of all connections is read in slices (slices.ts). */
export type Answers = {
  readonly [N in QuestionName]: (question: Asks<N>) => Answer<N> | Promise<Answer<N>>;
};

/** A question on its way. */
export type Asked = {
  readonly [N in QuestionName]: { readonly name: N; readonly question: Asks<N> };
}[QuestionName];

export const QUESTION_LIMITS = {
  /** A process that has not answered by then is missing in the answer of all. */
  timeoutMs: 2_000,
  /** Of one answer as JSON. A longer one is an error of the code that answers. */
  maxAnswerBytes: 256 * 1024,
  /** Questions to one process that are not answered yet. A further one is not asked. */
  maxWaiting: 32,
} as const;
