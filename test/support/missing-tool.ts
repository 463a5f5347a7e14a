// Ends a test whose tool is missing: skipped, with a line that nobody overlooks, or failed if SLUICE_REQUIRE_TOOLS=1, as in CI.
import { spawnSync } from 'node:child_process';
import type { TestContext } from 'node:test';

/** True if the program is installed, also in a directory that is only in the path of root. */
export const hasProgram = (name: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${name}`], {
    env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
  }).status === 0;

/** False, and the test is skipped loudly, when a program is missing. In CI that is a failure. */
export function hasTools(t: TestContext, ...names: readonly string[]): boolean {
  const missing = names.filter((name) => !hasProgram(name));
  if (missing.length > 0)
    skipWithoutTool(t, `missing: ${missing.join(', ')} (.ci/install names the packages of Debian)`);
  return missing.length === 0;
}

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
