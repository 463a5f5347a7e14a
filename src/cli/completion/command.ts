// Defines `sluice completion` and the hidden `sluice complete`, which the scripts of shells call. The runs are in run.ts.
import { Argument, type Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

const HELP = `
Once, for all shells that are started afterwards:
  bash   echo 'source <(sluice completion bash)' >> ~/.bashrc
  zsh    echo 'source <(sluice completion zsh)' >> ~/.zshrc     (after compinit)
  fish   sluice completion fish > ~/.config/fish/completions/sluice.fish

The shell has to find \`sluice\` in its PATH.`;

export function defineCompletion(completion: Command, chosen: (shell: Shell) => void): void {
  completion
    .addArgument(new Argument('<shell>', 'the shell that is to read it').choices(SHELLS))
    .addHelpText('after', HELP)
    .action(chosen);
}

export function defineComplete(complete: Command, chosen: (words: readonly string[]) => void): void {
  complete.argument('[words...]').action(chosen);
}
