// Waiting for a condition with a deadline, in place of sleeping.
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5;
export const DEADLINE_MS = 10_000;

/** Resolves with the first answer of `condition` that is neither false nor undefined; rejects at the deadline. */
export async function waitFor<T>(
  what: string,
  condition: () => T | false | undefined | Promise<T | false | undefined>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const answer = await condition();
    if (answer !== false && answer !== undefined) return answer;
    if (performance.now() > until) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
