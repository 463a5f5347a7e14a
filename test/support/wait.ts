// Waits for a condition with a deadline, so that no test has to sleep for a time that may be too short.
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5;
/** Only ends a test that hangs. A starting process may need many seconds on a machine that is busy with other work. */
export const DEADLINE_MS = 30_000;

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
