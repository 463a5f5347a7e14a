// The traffic that the run has recorded, for the files that judge it.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

export const DIRECTORY = process.env.SLUICE_TEST_TRAFFIC ?? '';
/** Only a whole run has to have everything. */
export const IS_WHOLE = process.env.SLUICE_TEST_TRAFFIC_IS_WHOLE === '1';
/** The option `skip` of a test: a file that somebody runs by hand has nothing to judge. */
export const SKIP = DIRECTORY === '' && 'npm test records the traffic';

// Else a run that records nothing would pass.
if (SKIP && process.env.SLUICE_TEST_SUITE !== undefined) throw new Error('this run has recorded no traffic');

/** Kinds that a whole run may miss: some answers come only if a test is slow or quick enough. More of them are a fault. */
const MOST_MISSED = 3;

/** Names the kinds that no test brought about. Without a tool tests are skipped, and traffic that only they bring is missing. */
export function judgeMissing(t: TestContext, missing: readonly string[]): void {
  if (missing.length > 0) t.diagnostic(`NOT SEEN in any test: ${missing.join(', ')}`);
  if (process.env.SLUICE_REQUIRE_TOOLS === '1')
    assert.ok(missing.length <= MOST_MISSED, `no test brings these about: ${missing.join(', ')}`);
}
