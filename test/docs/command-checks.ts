// Holds a command to the parsers and files that it will meet, without running it: the syntax of the shell, the real command line
// of `sluice`, the npm scripts with their options, the services of Compose, the pages of the admin port, files of the checkout.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROUTES } from '../../src/admin/routes.ts';
import { parseCommandLine } from '../../src/cli/command-line.ts';
import { COMMANDS, SERVE } from '../../src/commands.ts';
import { filesOfProject, ROOT, read } from './pages.ts';

const SUBCOMMANDS = new Set(COMMANDS.map(({ name }) => name));
const SCRIPTS = (JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> }).scripts;
/** The files and folders that define the options of an npm script. */
const OPTIONS_IN: Readonly<Record<string, readonly string[]>> = {
  bench: ['bench/main.ts', 'bench/scenarios'],
  attack: ['bench/attack/main.ts'],
  conformance: ['conformance/options.ts'],
  chaos: ['scripts/chaos.ts'],
  fuzz: ['scripts/fuzz.ts'],
  simulate: ['simulation/main.ts', 'simulation/play/options.ts', 'simulation/mutants/command.ts'],
  sustained: ['bench/sustained/main.ts'],
  scaling: ['bench/scaling/main.ts'],
  senders: ['scripts/senders/main.ts'],
  kafka: ['scripts/kafka.ts'],
  'test:nodes': ['scripts/tests/nodes.ts'],
  compatibility: ['scripts/compatibility/main.ts'],
  'upgrade-test': ['scripts/upgrade-test.ts'],
  plan: ['plan'],
  contracts: ['scripts/contracts'],
};
/** Words that stand for a value of the reader, with one that can be parsed. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  'host:port': 'localhost:9092',
  'HOST:PORT': 'localhost:9092',
  LEVEL: 'debug',
};

/** @returns the faults of all these commands, in words */
export async function faultsOf(commands: readonly string[]): Promise<string[]> {
  const faults = shellFaults(commands);
  for (const command of commands)
    for (const words of simpleCommands(command)) {
      const fault = await faultOf(words);
      if (fault !== undefined) faults.push(`${command}: ${fault}`);
    }
  return faults;
}

/** All commands in one bash, which reads and runs nothing. */
function shellFaults(commands: readonly string[]): string[] {
  const isWrong = (text: string) => spawnSync('bash', ['-n', '-c', text]).status !== 0;
  if (!isWrong(commands.join('\n'))) return [];
  return commands.filter(isWrong).map((command) => `${command}: the shell cannot read it`);
}

/** The words of each command of a pipe or a list, without assignments, redirections and the `sudo` before. */
function simpleCommands(text: string): string[][] {
  const commands: string[][] = [[]];
  const parts = text.matchAll(
    /\s*((?:"(?:\\.|[^"])*"|'[^']*'|\$\([^)]*\)|\\.|[^\s"'|&;<>()])+|\|\|?|&&|[;<>()&]+)/g,
  );
  for (const [, word = ''] of parts) {
    if (/^(?:\|\|?|&&|;|&|\(|\))$/.test(word)) commands.push([]);
    else commands.at(-1)?.push(word);
  }
  return commands
    .map((words) => {
      const redirected = words.findIndex((word) => /^[<>]+$/.test(word));
      const own = redirected < 0 ? words : words.slice(0, redirected);
      const first = own.findIndex((word) => word !== 'sudo' && !/^[A-Za-z_]\w*=/.test(word));
      return first < 0 ? [] : own.slice(first).map((word) => word.replace(/^(["'])(.*)\1$/s, '$2'));
    })
    .filter((words) => words.length > 0);
}

async function faultOf(words: readonly string[]): Promise<string | undefined> {
  const [program = '', second = ''] = words;
  const missing = words.find(
    (word) =>
      program !== 'npm' &&
      /^(?:deploy|docs|dist|examples|bench|load|scripts|src|test)\/[\w./-]+$/.test(word) &&
      !isThere(word),
  );
  if (missing !== undefined) return `there is no ${missing}`;
  const ofSluice = sluiceArguments(words);
  if (ofSluice !== undefined) return sluiceFault(ofSluice);
  if (program === 'npm' && ['run', 'start', 'test'].includes(second)) return npmFault(words);
  if (program === 'docker' && second === 'compose') return composeFault(words);
  if (program === 'curl') return curlFault(words);
  return undefined;
}

/** Also true of files that a page tells the reader to make. */
const isThere = (path: string) =>
  existsSync(join(ROOT, path)) ||
  /^deploy\/(?:files\/|grafana\/provisioning\/alerting\/contact-points\.yml)/.test(path);

/** The arguments for `sluice`, if the command runs it, however. */
function sluiceArguments(words: readonly string[]): readonly string[] | undefined {
  const [program = '', second = '', third = ''] = words;
  if (program === 'sluice') return words.slice(1);
  if (program === 'npx' && second === 'sluice') return words.slice(2);
  if (program === 'npm' && second === 'start' && third === '--') return words.slice(3);
  if (program === 'npm' && second === 'run' && third === 'load') return ['load', ...words.slice(4)];
  if (program === 'node' && second === 'dist/src/main.js') return words.slice(2);
  // A part of a command line that a page names without the program, such as `spool ls`.
  if (SUBCOMMANDS.has(program)) return words;
  if (!['docker', 'kubectl'].includes(program)) return undefined;
  // In a container the program comes behind the name of the container, or behind `--`. An image called `sluice` runs it.
  const at = words.findLastIndex(
    (word, index) => word === 'sluice' && !/^-./.test(words[index - 1]?.replace(/^--$/, '') ?? ''),
  );
  const isRun = words.includes('exec') || second === 'run';
  return isRun && at > 1 && words.length > at + 1 ? words.slice(at + 1) : undefined;
}

async function sluiceFault(args: readonly string[]): Promise<string | undefined> {
  // Words that stand for the rest.
  if (args.some((word) => ['...', '…'].includes(word))) return undefined;
  const real = args.map((word) => PLACEHOLDERS[word] ?? word);
  const table = { version: '0', commands: COMMANDS, byDefault: SERVE.runWith };
  const said: string[] = [];
  const write = process.stderr.write;
  process.stderr.write = (text: unknown) => said.push(String(text)) > 0;
  try {
    const run = await parseCommandLine(real, table);
    if (typeof run !== 'number' || run === 0) return undefined;
    const text = said.join('').trim();
    // A page may name a command alone. Alone a group of commands, such as `sluice spool`, prints its help.
    const isName = /argument missing|missing required argument|required option/.test(text);
    return isName || (args.length === 1 && SUBCOMMANDS.has(args[0] ?? '')) ? undefined : text;
  } finally {
    process.stderr.write = write;
  }
}

function npmFault(words: readonly string[]): string | undefined {
  const [, second = '', third = ''] = words;
  const script = second === 'run' ? third : second;
  if (script === '') return undefined;
  if (!Object.hasOwn(SCRIPTS, script)) return `there is no npm script ${script}`;
  const dashes = words.indexOf('--');
  const args = dashes < 0 ? [] : words.slice(dashes + 1);
  if (script === 'test' || script === 'test:bench') {
    const wanted = args.filter((word) => !word.startsWith('-') && !/^[A-Z]+$/.test(word));
    const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
    const none = wanted.find((word) => !files.some((file) => `test/${file}`.includes(word)));
    return none === undefined ? undefined : `no test file has ${none} in its path`;
  }
  const sources = (OPTIONS_IN[script] ?? []).flatMap(sourcesIn).join('\n');
  const unknown = args.find((word) => word.startsWith('-') && !defines(sources, word.split('=')[0] ?? ''));
  if (unknown !== undefined) return `npm run ${script} has no option ${unknown}`;
  const scenario = args.includes('--scenario') ? args[args.indexOf('--scenario') + 1] : undefined;
  return scenario === undefined || new RegExp(`(?:name: |\\()'${scenario}'`).test(sources)
    ? undefined
    : `there is no scenario ${scenario}`;
}

/** @param path a file, or a folder with all that is below it */
const sourcesIn = (path: string): string[] =>
  filesOfProject('.ts')
    .filter((file) => file === path || file.startsWith(`${path}/`))
    .map(read);

/** True if the source defines the option for commander, or for parseArgs of Node. */
function defines(sources: string, option: string): boolean {
  const name = option.replace(/^-+/, '');
  return new RegExp(`${option}(?![\\w-])|^\\s*'?${name}'?: \\{ ?type:`, 'm').test(sources);
}

function composeFault(words: readonly string[]): string | undefined {
  const services = new Set(
    ['docker-compose.yml', 'docker-compose.gateway.yml', 'docker-compose.kafka.yml'].flatMap((file) =>
      Object.keys((parse(read(file)) as { services: object }).services),
    ),
  );
  for (const [index, word] of words.entries()) {
    const value = words[index + 1] ?? '';
    if (['--env-file', '-f'].includes(word) && !existsSync(join(ROOT, value))) return `there is no ${value}`;
  }
  const verbs = new Set(['up', 'stop', 'start', 'exec', 'logs', 'restart', 'ps', 'run', 'kill']);
  const at = words.findIndex((word, index) => index > 1 && verbs.has(word));
  if (at < 0) return undefined;
  const named = words.slice(at + 1).filter((word, index, all) => {
    const before = all[index - 1] ?? '';
    return !word.startsWith('-') && !['--tail', '-s', '--signal'].includes(before);
  });
  // `exec` and `run` have a command behind the service.
  const meant = ['exec', 'run'].includes(words[at] ?? '') ? named.slice(0, 1) : named;
  const unknown = meant.find((word) => !services.has(word));
  return unknown === undefined ? undefined : `there is no service ${unknown}`;
}

/** Addresses of the admin port of the gateway. */
function curlFault(words: readonly string[]): string | undefined {
  for (const word of words) {
    const [, path] = /^(?:https?:\/\/)?[\w.]+:9108(\/[\w/-]*)/.exec(word) ?? [];
    if (path !== undefined && !Object.hasOwn(ROUTES, path)) return `the admin port has no ${path}`;
  }
  return undefined;
}
