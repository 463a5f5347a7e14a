// Ends a test whose tool is missing: skipped, with a line that nobody overlooks, or failed if SLUICE_REQUIRE_TOOLS=1, as in CI.
import type { TestContext } from 'node:test';

/** @param why such as `HAProxy is missing (on Debian: apt-get install haproxy)` @throws Error if tools are required */
export function skipWithoutTool(t: TestContext, why: string): void {
  if (process.env.SLUICE_REQUIRE_TOOLS === '1') throw new Error(`SLUICE_REQUIRE_TOOLS=1, but ${why}`);
  skipLoudly(t, why);
}

/** For a machine that forbids what the test does, which no package can change. */
export function skipLoudly(t: TestContext, why: string): void {
  console.error(`SKIPPED: ${t.name}: ${why}`);
  t.skip(why);
}
