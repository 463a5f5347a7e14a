// Defines `sluice probe`. It checks the command line and asks nothing.
import type { Command } from 'commander';

export interface ProbeWish {
  readonly ready?: true;
}

const HELP = `
It asks /healthz or /readyz at HTTP_HOST and HTTP_PORT, from the environment or .env. It needs no token, and gives up after
2 s. One line says what the answer is. If HTTP_PORT is empty there is nothing to ask, and the exit code is 0.
Exit codes: 0 yes; 1 no, or no answer; 64 wrong command line. More: docs/operating.md`;

export function defineProbe(command: Command, chosen: (wish: ProbeWish) => void): void {
  command
    .option('--ready', 'ask whether data sent now would be kept, instead of whether the gateway lives')
    .addHelpText('after', HELP)
    .action(chosen);
}
