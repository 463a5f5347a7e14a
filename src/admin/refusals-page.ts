// GET /refusals: how often each reply code was sent, and the last line that was refused with it, of all processes.
import type { Inspection } from '../inspect/inspection.ts';
import type { RefusalSample } from '../inspect/line-questions.ts';
import { CODE_NAMES, type Code } from '../protocol/codes.ts';
import { jsonBody, type Operations, STARTING } from './operations.ts';
import type { Snapshot } from './snapshot.ts';

export const REFUSALS: Operations = {
  get: {
    about: 'How often each reply code was sent, and the last line that was refused with it.',
    answers: { 200: { about: 'only codes that were sent', content: jsonBody('Refusals') }, ...STARTING },
  },
};

/** The body of /refusals. */
export interface RefusalsPage {
  readonly refusals: readonly {
    readonly code: Code;
    readonly count: number;
    /** Null if no connection was served yet, as with `server_full`. */
    readonly last: (Omit<RefusalSample, 'code'> & { readonly process: number }) | null;
  }[];
  readonly missing: readonly number[];
}

/** Only codes that were sent, those with a newer sample first. */
export async function refusalsPage(snapshot: Snapshot, inspection: Inspection): Promise<RefusalsPage> {
  const { answers, missing } = await inspection.ask('refusals', null);
  const samples = answers.flatMap(({ process, answer }) => answer.map((sample) => ({ process, sample })));
  samples.sort((one, other) => Date.parse(other.sample.at) - Date.parse(one.sample.at));
  const refusals = CODE_NAMES.map((code) => {
    const found = samples.find(({ sample }) => sample.code === code);
    const count = snapshot.lines.refused[code];
    if (found === undefined) return { code, count, last: null };
    const { code: _code, at, ...facts } = found.sample;
    return { code, count, last: { at, process: found.process, ...facts } };
  });
  const order = (at: string | undefined) => (at === undefined ? 0 : Date.parse(at));
  refusals.sort((one, other) => order(other.last?.at) - order(one.last?.at));
  return { refusals: refusals.filter(({ count }) => count > 0), missing };
}
