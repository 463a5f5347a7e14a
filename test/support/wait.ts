// Waits for a condition with a deadline, so that no test has to sleep for a time that may be too short.
import { setTimeout as sleep } from 'node:timers/promises';

/** Most conditions hold soon. Asking for the others 200 times a second takes CPU time from the work that they wait for. */
const POLL_MS = { first: 5, later: 20 } as const;
const SOON_MS = 200;
/** Only ends a test that hangs. A starting process may need many seconds on a machine that is busy with other work. */
export const DEADLINE_MS = 30_000;

/** Resolves with the first answer of `condition` that is neither false nor undefined; rejects at the deadline. */
export async function waitFor<T>(
  what: string,
  condition: () => T | false | undefined | Promise<T | false | undefined>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const from = performance.now();
  for (;;) {
    const answer = await condition();
    if (answer !== false && answer !== undefined) return answer;
    const waitedMs = performance.now() - from;
    if (waitedMs > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(waitedMs < SOON_MS ? POLL_MS.first : POLL_MS.later);
  }
}
