// Runs all checks at once, and ends after a fixed time whatever the network does. It prints nothing.
import type { LoadedSettings } from '../config/load.ts';
import { type Area, CHECKS, type Check } from './checks.ts';
import { type Context, contextOf } from './context.ts';
import type { Finding } from './finding.ts';
import { error } from './finding.ts';

/** For all checks together. The command promises 20 s, and has to start and to print as well. */
export const LIMIT_MS = 16_000;

export interface Placed {
  readonly area: Area;
  readonly finding: Finding;
}

/** In the order of the table. */
export async function runChecks(loaded: LoadedSettings, limitMs = LIMIT_MS): Promise<Placed[]> {
  const context = contextOf(loaded);
  const limit = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref());
  try {
    const each = CHECKS.map(async (check) => {
      const findings = await Promise.race([ended(check, context), late(check, limit)]);
      return findings.map((finding) => ({ area: check.area, finding }));
    });
    return (await Promise.all(each)).flat();
  } finally {
    context.kafka?.close();
    context.names.close();
  }
}

/** A check that fails is a bug. The findings of the others are worth having all the same. */
async function ended(check: Check, context: Context): Promise<readonly Finding[]> {
  try {
    return await check.run(context);
  } catch (cause) {
    return [
      error('unknown', {
        name: 'check_failed',
        what: `The check of ${check.about} failed: ${cause instanceof Error ? cause.message : String(cause)}`,
        why: 'That is a bug of Sluice, and says nothing about the gateway.',
        remedy: 'Report it with this line',
      }),
    ];
  }
}

async function late({ about }: Check, limit: Promise<void>): Promise<Finding[]> {
  await limit;
  return [
    error('unknown', {
      name: 'check_late',
      what: `The check of ${about} has not ended in time`,
      why: 'Something on the way to Kafka answers very slowly, the name service perhaps.',
      remedy: 'See to the other findings first, then check again',
    }),
  ];
}
