// Answers questions inside a process, as JSON of a bounded size. It never throws: a question that fails has no answer.
import type { Log } from '../log/log.ts';
import { type Answers, type Asked, QUESTION_LIMITS } from './questions.ts';

export class Answering {
  readonly #answers: Answers;
  readonly #failed: (question: string, err: Error) => void;

  constructor(answers: Answers, log: Log) {
    this.#answers = answers;
    const lines = log.limited();
    this.#failed = (question, err) => lines.write('question_failed', { question, err });
  }

  /** Resolves with JSON, or with null if there is no answer. */
  async answer(asked: Asked): Promise<string | null> {
    try {
      const text = JSON.stringify(await this.#answerTo(asked));
      if (text.length <= QUESTION_LIMITS.maxAnswerBytes) return text;
      throw new Error(`the answer has ${text.length} characters`);
    } catch (error) {
      this.#failed(asked.name, error instanceof Error ? error : new Error(String(error)));
      return null;
    }
  }

  #answerTo({ name, question }: Asked): unknown {
    const answer: (question: never) => unknown = this.#answers[name];
    return answer(question as never);
  }
}
