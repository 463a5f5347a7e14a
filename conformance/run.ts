// Checks the rules, a few at a time, and collects the results in the order of the rules.
import { NoConnection } from './client/dial.ts';
import { Gateway } from './client/gateway.ts';
import type { Options } from './options.ts';
import { type Exchange, Failed, NotChecked } from './outcome.ts';
import type { Rule } from './rule.ts';
import { RULES } from './rules/rules.ts';

export interface Result {
  readonly rule: Rule;
  readonly result: 'ok' | 'failed' | 'not checked';
  /** Why it was not checked, or the expectation that failed. */
  readonly reason?: string;
  readonly exchange?: Exchange;
}

/** The gateway takes no identify that the options describe. */
export class Refused extends Error {}

/** A gateway under test is left room for other devices. */
const MAX_AT_ONCE = 8;

/** The rules that the options choose. */
export function chosenRules({ only }: Pick<Options, 'only'>): readonly Rule[] {
  if (only.length === 0) return RULES;
  return RULES.filter(({ id }) => only.some((name) => id === name || id.startsWith(`${name}.`)));
}

/** @throws NoConnection if nothing listens there, or not to us; Refused */
export async function checkAll(options: Options): Promise<readonly Result[]> {
  await assertReachable(options);
  const rules = chosenRules(options);
  const results: Result[] = [];
  let next = 0;
  // With one device_id for all connections, a second one would replace the first.
  const isOneByOne = options.deviceId !== undefined && !options.deviceId.endsWith('*');
  const worker = async () => {
    for (let index = next++; index < rules.length; index = next++) {
      const rule = rules[index];
      if (rule !== undefined) results[index] = await check(rule, options);
    }
  };
  await Promise.all(Array.from({ length: isOneByOne ? 1 : MAX_AT_ONCE }, worker));
  return results;
}

async function check(rule: Rule, options: Options): Promise<Result> {
  if (rule.isSlow && !options.isSlow) return { rule, result: 'not checked', reason: 'needs --slow' };
  if (rule.isRelaxedByGo && options.isGoCompatible)
    return { rule, result: 'not checked', reason: 'does not hold with --compatibility go' };
  const gateway = new Gateway(options);
  try {
    try {
      await rule.check(gateway);
    } finally {
      await gateway.close();
    }
    return { rule, result: 'ok' };
  } catch (error) {
    if (error instanceof Failed)
      return { rule, result: 'failed', reason: error.expected, exchange: error.exchange };
    if (error instanceof NotChecked || error instanceof NoConnection)
      return { rule, result: 'not checked', reason: error.message };
    throw error;
  }
}

/** One identify before all else: if it is refused, nothing can be said of the rules. */
async function assertReachable(options: Options): Promise<void> {
  const gateway = new Gateway(options);
  const device = await gateway.connect();
  try {
    const line = gateway.identify();
    const reply = await device.send(`${line}\n`).next('`identified`');
    if (reply.status === 'error')
      throw new Refused(
        `the gateway refuses ${line}: ${reply.code}, ${reply.message}. See --token and --identify.`,
      );
  } catch (error) {
    // A gateway that answers wrongly breaks a rule, which is found later.
    if (!(error instanceof Failed)) throw error;
  } finally {
    await device.close();
  }
}
