// Asks the server processes a question, and names those that do not answer. With one process the question stays in it.
// It knows no question itself.
import type { Answering } from './answering.ts';
import { PendingAnswers } from './pending-answers.ts';
import type { Answer, Asked, Asks, QuestionName } from './questions.ts';

/** The way to one process. */
export interface Respondent {
  /** The number of the process. */
  readonly index: number;
  /** Resolves with JSON within QUESTION_LIMITS.timeoutMs, or with null without an answer. */
  ask(asked: Asked): Promise<string | null>;
}

export interface Answered<N extends QuestionName> {
  /** By the number of the process. */
  readonly answers: readonly { readonly process: number; readonly answer: Answer<N> }[];
  /** Processes that do not run, did not answer in time, or failed. */
  readonly missing: readonly number[];
}

export class Inspection {
  readonly #respondents: readonly Respondent[];
  readonly #underWay = new Map<QuestionName, number>();

  constructor(respondents: readonly Respondent[]) {
    this.#respondents = respondents;
  }

  /** The numbers of all processes, whether they run or not. */
  get processes(): readonly number[] {
    return this.#respondents.map(({ index }) => index);
  }

  /** Questions of this name that are not answered yet: each takes one of QUESTION_LIMITS.maxWaiting. */
  underWay(name: QuestionName): number {
    return this.#underWay.get(name) ?? 0;
  }

  /** Never rejects. @param process only this one is asked */
  async ask<N extends QuestionName>(name: N, question: Asks<N>, process?: number): Promise<Answered<N>> {
    const asked = this.#respondents.filter(({ index }) => process === undefined || index === process);
    this.#underWay.set(name, this.underWay(name) + 1);
    const replies = await Promise.all(
      asked.map(async (one) => ({ process: one.index, text: await one.ask({ name, question } as Asked) })),
    ).finally(() => this.#underWay.set(name, this.underWay(name) - 1));
    return {
      answers: replies.flatMap(({ process, text }) =>
        text === null ? [] : { process, answer: JSON.parse(text) as Answer<N> },
      ),
      missing: replies.filter(({ text }) => text === null).map(({ process }) => process),
    };
  }
}

/** For the only process, which asks itself. */
export function ownRespondent(index: number, answering: Answering): Respondent {
  const pending = new PendingAnswers();
  return {
    index,
    ask: (asked) =>
      pending.ask((request) => void answering.answer(asked).then((text) => pending.take(request, text))),
  };
}
