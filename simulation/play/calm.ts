// The check of a history without any outage.
import type { Step } from './plan.ts';
import type { Scene } from './scene.ts';
import type { Stage } from './stage.ts';

/** A quota may make a broker read nothing for so long, and for longer. Logins that last an hour are not concerned. */
const MUTED_MS = 60_000;
/** Bytes a second. Below it a single batch mutes its broker for longer than a request may take. */
const SMALL_QUOTA = 100_000;

/**
 * A quota that has to lead to new connections. While a broker reads nothing the logins of the next requests may end, and
 * then it closes the connection. Without answers (acks 0) the gateway does not hear of the quota at all.
 */
const isQuotaAnOutage = ({ loginLastsMs = Number.POSITIVE_INFINITY, env }: Scene, steps: readonly Step[]) =>
  steps.some(
    ({ kind, parameters }) =>
      kind.name === 'quota' &&
      (loginLastsMs <= MUTED_MS ||
        env.KAFKA_REQUIRED_ACKS === '0' ||
        Number(parameters.bytesPerSecond) < SMALL_QUOTA),
  );

/** A quota, busy devices and slow links are no outage: nothing is sent again, and nothing goes to the disk. */
export function checkCalm(
  { gateway: { counts }, scene, wrong, calmFrom }: Stage,
  steps: readonly Step[],
): void {
  if (calmFrom === undefined || !steps.every(({ kind }) => kind.isCalm)) return;
  if (isQuotaAnOutage(scene, steps)) return;
  const [retries, spooled] = [counts.retries - calmFrom.retries, counts.spooled - calmFrom.spooled];
  if (retries > 0 || spooled > 0)
    wrong.add('an outage that was none', `${retries} batches were sent again, ${spooled} went to the disk`);
}
