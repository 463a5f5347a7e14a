// Runs a `sluice token` command and turns expected errors into a message and an exit code. A token is written to standard
// output when it is made, and nowhere else.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EXIT_SETTINGS } from '../../config/exit-codes.ts';
import { table } from '../../config/text-table.ts';
import { hasOwnToken, hideOwnTokens, TOKEN_PREFIX } from '../../protocol/hidden-tokens.ts';
import { editTokens } from '../../tokens/edit-tokens.ts';
import {
  formatEntry,
  hashOf,
  parseTokens,
  type TokenEntry,
  TokenFileError,
  withoutNames,
} from '../../tokens/token-file.ts';
import { say } from '../output.ts';
import type { TokenCommand } from './command.ts';

const EXIT_FAILED = 1;
const TOKEN_BYTES = 32;
const SHOWN_DIGITS = 12;

/** The command cannot do its work. The file is as it was. */
class RefusedError extends Error {
  readonly code = 'TOKEN_REFUSED';
}

/** Resolves with the exit code. */
export async function runToken(command: TokenCommand): Promise<number> {
  const { file } = command.options;
  // No setting is needed, so none can be wrong.
  if (file !== undefined) return run(command, file);
  const { load, withSettings } = await import('../with-settings.ts');
  return withSettings(load(), ({ settings }) => run(command, settings.TCP_TOKENS_FILE));
}

async function run(command: TokenCommand, path: string | null): Promise<number> {
  if (path === null || path === '') {
    say('no file of tokens is named: set TCP_TOKENS_FILE, or use --file');
    return EXIT_SETTINGS;
  }
  try {
    switch (command.name) {
      case 'add':
        await add(path, command.token, command.options.devices ?? [command.token]);
        break;
      case 'list':
        await list(path, command.options.json === true);
        break;
      case 'revoke':
        await revoke(path, command.tokens);
        break;
    }
    return 0;
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    // An error without a code is a bug, and its stack is wanted.
    if (typeof code !== 'string') throw error;
    say(hideOwnTokens(error instanceof TokenFileError ? `${path}: ${message}` : message));
    return EXIT_FAILED;
  }
}

async function add(path: string, name: string, ids: readonly string[]): Promise<void> {
  if (hasOwnToken(name))
    throw new RefusedError(`'${name}' is a token, and a name is shown to everybody; choose another name`);
  const token = `${TOKEN_PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  const { narrowed } = await editTokens(path, (content) => {
    if ([...parseTokens(content).values()].some((entry) => entry.name === name))
      throw new RefusedError(`a token '${name}' exists already; revoke it first, or choose another name`);
    const text = content.toString();
    const end = text === '' || text.endsWith('\n') ? '' : '\n';
    const line = formatEntry({ hash: hashOf(token).toString('hex'), ids, name });
    return { content: `${text}${end}${line}`, result: undefined };
  });
  const printError = await printed(`${token}\n`);
  if (printError !== undefined) {
    await editTokens(path, (content) => ({
      content: withoutNames(content.toString(), new Set([name])),
      result: undefined,
    }));
    throw new RefusedError(`nothing was added: the token cannot be printed (${printError.message})`);
  }
  say(`added '${name}' for ${ids.join(', ')}; the token is not shown again`);
  if (narrowed) sayNarrowed(path);
}

/** Resolves with the error if the text did not get out, such as EPIPE and ENOSPC. */
function printed(text: string): Promise<Error | undefined> {
  return new Promise((resolve) => {
    process.stdout.write(text, (error) => resolve(error ?? undefined));
  });
}

async function revoke(path: string, names: readonly string[]): Promise<void> {
  const wanted = new Set(names);
  const { narrowed } = await editTokens(path, (content) => {
    const known = new Set([...parseTokens(content).values()].map(({ name }) => name));
    const missing = names.filter((name) => !known.has(name));
    if (missing.length > 0)
      throw new RefusedError(
        `nothing was revoked: no token is named ${missing.map((name) => `'${name}'`).join(', ')}`,
      );
    return { content: withoutNames(content.toString(), wanted), result: undefined };
  });
  say(
    `revoked ${[...wanted].map((name) => `'${name}'`).join(', ')}; a running gateway closes their connections`,
  );
  if (narrowed) sayNarrowed(path);
}

async function list(path: string, isJson: boolean): Promise<void> {
  const entries = [...parseTokens(await readFile(path)).values()];
  const text = isJson ? `${JSON.stringify(entries, null, 2)}\n` : asTable(entries);
  process.stdout.write(text);
}

function asTable(entries: readonly TokenEntry[]): string {
  if (entries.length === 0) return 'no tokens: no device may identify\n';
  const head = ['NAME', 'DEVICES', 'SHA256'];
  const rows = entries.map(({ name, ids, hash }) => [
    name,
    ids.join(','),
    `${hash.slice(0, SHOWN_DIGITS)}...`,
  ]);
  return table([head, ...rows], head);
}

function sayNarrowed(path: string): void {
  say(
    `${path} was readable for every user and is now readable for its owner only; that must be the gateway's user`,
  );
}
