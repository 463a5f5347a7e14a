// `npm run deploy-check`: holds the files in deploy/ to the tools that they are for, in the versions named in the code. It builds
// and installs missing tools into .cache, which takes minutes the first time. It starts nothing and needs no daemon.
// Exit code 1 if there are faults, or if something was not checked and SLUICE_REQUIRE_TOOLS=1.
import { checkCompose } from './compose.ts';
import { checkHelm } from './helm.ts';
import type { CheckResult } from './result.ts';

const CHECKS: readonly (() => Promise<CheckResult>)[] = [checkCompose, checkHelm];

for (const check of CHECKS) {
  const { name, skipped, problems, lines } = await check();
  for (const line of lines) console.log(`${name}: ${line}`);
  for (const problem of problems) console.error(`${name}: FAULT: ${problem}`);
  if (skipped !== undefined) console.error(`${name}: NOT CHECKED: ${skipped}`);
  const isMissing = skipped !== undefined && process.env.SLUICE_REQUIRE_TOOLS === '1';
  if (problems.length > 0 || isMissing) process.exitCode = 1;
}
