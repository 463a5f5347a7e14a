// Defines `sluice check` and its options. run.ts runs it.
import type { Command } from 'commander';

export interface CheckWish {
  readonly all?: true;
  readonly json?: true;
  readonly strict?: true;
}

const HELP = `
It changes nothing: no record is written, no topic created, no lock taken. It ends within 20 s. Run it as the user of the
gateway, in its directory and with its environment, before a start or beside a running gateway.

Exit codes: 0 no errors; 1 errors, or warnings with --strict; 64 wrong command line; 78 wrong settings`;

export function defineCheck(check: Command, chosen: (wish: CheckWish) => void): void {
  check
    .option('--all', 'print every setting, and not only those that are set')
    .option('--json', 'print JSON for programs')
    .option('--strict', 'exit with 1 for warnings too')
    .addHelpText('after', HELP)
    .action((options: CheckWish) => chosen(options));
}
