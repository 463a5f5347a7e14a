// Defines the `sluice token` commands and checks their arguments. run.ts runs them.
import { type Command, InvalidArgumentError } from 'commander';
import { pathOfPage } from '../../config/pages.ts';
import { IDS_FORM, isName, NAME_FORM, parseIds } from '../../tokens/token-file.ts';

interface FileOption {
  /** Used instead of TCP_TOKENS_FILE. */
  readonly file?: string;
}

export type TokenCommand =
  | { readonly name: 'add'; readonly token: string; readonly options: FileOption & { devices?: string[] } }
  | { readonly name: 'list'; readonly options: FileOption & { json?: true } }
  | { readonly name: 'revoke'; readonly tokens: readonly string[]; readonly options: FileOption };

const ADD_HELP = `
The token is printed once, on standard output. The file keeps only its hash, so nobody can read the token there. A missing
file is created.

Examples:
  sluice token add roof-7                        for the device_id roof-7
  sluice token add "north hall" --devices 'north-*,gate-1'
  sluice token add old-fleet --devices '*'       for every device_id, and for devices that send none

Exit codes: 0 added; 1 not added, the file is as it was; 64 wrong command line; 78 wrong settings, or no file is named`;

const LIST_HELP = `
Exit codes: 0 listed; 1 the file cannot be read, or has a wrong line; 64 wrong command line; 78 wrong settings, or no file
is named`;

const REVOKE_HELP = `
A running gateway sees the change within a few seconds, or at once with SIGHUP. It then closes the connections that used
the tokens.

Exit codes: 0 revoked; 1 not revoked, the file is as it was; 64 wrong command line; 78 wrong settings, or no file is named`;

/** `chosen` is called while the command line is parsed. */
export function defineToken(token: Command, chosen: (command: TokenCommand) => void): void {
  token.addHelpText(
    'after',
    `\nThe file of tokens and how it is used: ${pathOfPage('docs/security.md')} (Tokens for devices).`,
  );
  const add = (name: string, description: string, help: string) =>
    token
      .command(name)
      .description(description)
      .option('--file <path>', 'the file of tokens, instead of TCP_TOKENS_FILE')
      .addHelpText('after', help);

  add('add', 'make a new token and print it', ADD_HELP)
    .argument('<name>', `of the token, to list and revoke it: ${NAME_FORM}`, tokenName)
    .option('--devices <ids>', `that may use it (default: the name): ${IDS_FORM}`, deviceIds)
    .action((name: string, options: FileOption & { devices?: string[] }, command: Command) => {
      if (options.devices === undefined && parseIds(name) === undefined)
        command.error(`error: --devices is needed, because the name is no device_id; allowed: ${IDS_FORM}`);
      chosen({ name: 'add', token: name, options });
    });

  add('list', 'list the tokens: name, devices and the start of the hash', LIST_HELP)
    .option('--json', 'print JSON for programs')
    .action((options: FileOption & { json?: true }) => chosen({ name: 'list', options }));

  add('revoke', 'remove tokens', REVOKE_HELP)
    .argument('<name...>', 'names of tokens')
    .action((tokens: string[], options: FileOption) => chosen({ name: 'revoke', tokens, options }));
}

function tokenName(text: string): string {
  if (!isName(text)) throw new InvalidArgumentError(`allowed: ${NAME_FORM}.`);
  return text;
}

function deviceIds(text: string): string[] {
  const ids = parseIds(text);
  if (ids === undefined) throw new InvalidArgumentError(`allowed: ${IDS_FORM}.`);
  return ids;
}
