// Shell completion in real shells: an interactive bash, zsh and fish in a terminal of tmux, with Tab pressed.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../support/directory.ts';
import { hasTools } from '../support/missing-tool.ts';
import { runProgram } from '../support/program.ts';
import { MAIN, Terminal } from '../support/terminal.ts';
import { waitFor } from '../support/wait.ts';

/** An interactive shell that has read the script, with `sluice` in its PATH. */
async function shellIn(t: TestContext, shell: Shell): Promise<{ terminal: Terminal; directory: string }> {
  const directory = temporaryDirectory(t);
  const program = join(directory, 'sluice');
  writeFileSync(
    program,
    `#!/bin/sh\n'${process.execPath}' '${MAIN}' "$@"\necho "$@" >> '${directory}/calls'\n`,
  );
  chmodSync(program, 0o755);
  const { out } = await runProgram('src/main.js', ['completion', shell.name]);
  writeFileSync(join(directory, 'script'), out);
  writeFileSync(join(directory, 'kept-file'), 'kept');
  const env = {
    PATH: `${directory}:${process.env.PATH ?? ''}`,
    HOME: directory,
    PS1: 'ready> ',
    LANG: 'C.UTF-8',
  };
  const terminal = new Terminal(t, shell.command, { env, cwd: directory, width: 100, height: 30 });
  await terminal.shows(shell.prompt);
  terminal.type(`${shell.setUp}\n`);
  await terminal.shows('set-up done');
  return { terminal, directory };
}

interface Shell {
  readonly name: 'bash' | 'zsh' | 'fish';
  readonly command: readonly string[];
  readonly prompt: RegExp;
  readonly setUp: string;
}

const DONE = 'clear; echo set-up" "done';
const SHELLS: readonly Shell[] = [
  // Twice: a shell may read its start files again.
  {
    name: 'bash',
    command: ['bash', '--norc', '-i'],
    prompt: /ready>|bash/,
    // With bash-completion and without.
    setUp: `. /usr/share/bash-completion/bash_completion; . ./script; . ./script; ${DONE}`,
  },
  {
    name: 'zsh',
    command: ['zsh', '-f', '-i'],
    prompt: /ready>|%|#/,
    setUp: `autoload -U compinit; compinit -u; . ./script; ${DONE}`,
  },
  { name: 'fish', command: ['fish', '--no-config', '-i'], prompt: /[>#]/, setUp: `source ./script; ${DONE}` },
];

const callsIn = (directory: string) => {
  const calls = join(directory, 'calls');
  return existsSync(calls) ? readFileSync(calls).length : 0;
};

const COMPLETED = [
  ['sluice spo', 'sluice spool'],
  ['sluice spool ver', 'sluice spool verify'],
  ['sluice spool cat --dead', 'sluice spool cat --dead-letters'],
  ['sluice token list --file kep', 'sluice token list --file kept-file'],
  ['sluice completion fi', 'sluice completion fish'],
  ['sluice log-level deb', 'sluice log-level debug'],
] as const;
/** Whatever a shell would do if it evaluated the line. */
const DANGEROUS = [
  'sluice spool cat > kept-file sp',
  'sluice spool $(touch evil) --',
  'sluice "`touch evil`" ',
];

describe('completion', { concurrency: true }, () => {
  for (const shell of SHELLS) {
    // One shell for all: a shell takes longer to start than to complete.
    it(`in ${shell.name} Tab completes commands, options, values and paths, and evaluates nothing`, async (t) => {
      if (!hasTools(t, 'tmux', shell.name)) return;
      const { terminal, directory } = await shellIn(t, shell);
      for (const typed of DANGEROUS) {
        const before = callsIn(directory);
        terminal.type(typed);
        terminal.press('Tab');
        await waitFor(`the completion of ${typed}`, () => callsIn(directory) > before);
        terminal.press('C-u');
      }
      assert.equal(readFileSync(join(directory, 'kept-file'), 'utf8'), 'kept');
      assert.ok(!existsSync(join(directory, 'evil')));
      for (const [typed, shown] of COMPLETED) {
        terminal.type(typed);
        terminal.press('Tab');
        await terminal.shows(shown);
        terminal.press('C-u');
      }
      terminal.type('sluice ');
      terminal.press('Tab', 'Tab');
      await terminal.shows(/serve[\s\S]*token|token[\s\S]*serve/);
      assert.ok(!terminal.screen().includes('complete '), 'the hidden command stays hidden');
    });
  }
});

it('of another shell is refused with exit code 64', async () => {
  assert.equal((await runProgram('src/main.js', ['completion', 'csh'])).code, 64);
});
