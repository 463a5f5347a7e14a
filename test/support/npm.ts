// Runs npm and npx as a user does, outside the checkout. Without the variables that `npm test` gives to its children,
// which would name this checkout and its script.
import { spawn } from 'node:child_process';
import { outputOf, type ProgramOutput } from './program.ts';

const TIMEOUT_MS = 120_000;
/** The registry, and the way to it. */
const KEPT = /^npm_config_(?:registry|cafile|ca|cache|proxy|https_proxy|noproxy|strict_ssl)$/i;

export function userEnvironment(own: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) || KEPT.test(name));
  // The path of `npm test` begins with node_modules/.bin of this checkout.
  const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  return {
    ...Object.fromEntries(kept),
    PATH: path.join(':'),
    npm_config_fund: 'false',
    npm_config_audit: 'false',
    npm_config_update_notifier: 'false',
    npm_config_prefer_offline: 'true',
    ...own,
  };
}

/** Runs a command to its end. @param env added to that of a user */
export async function runCommand(
  [file, ...args]: readonly [string, ...string[]],
  { cwd, env }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<ProgramOutput> {
  const child = spawn(file, args, {
    cwd,
    env: userEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  return outputOf(child);
}
