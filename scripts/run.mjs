// Runs every npm script: brings node_modules and dist up to date, then does the job of the script. It is plain
// JavaScript without dependencies, because it runs before they are installed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { prepare, StepError } from './lib/prepare.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

// If npm is killed, its script goes on. So the gateway watches the process that started it.
const { ppid } = process;
const isOfNpm = process.env.npm_lifecycle_event === 'start';

const jobs = {
  start: (args) => become('dist/src/main.js', isOfNpm ? ['--stop-with-parent', String(ppid), ...args] : args),
  kafka: (args) => become('dist/scripts/kafka.js', args),
  compatibility: (args) => become('dist/scripts/compatibility/main.js', args),
  bench: (args) => become('dist/bench/main.js', args),
  attack: (args) => become('dist/bench/attack/main.js', args),
  conformance: (args) => become('dist/conformance/main.js', args),
  chaos: (args) => become('dist/scripts/chaos.js', args),
  fuzz: (args) => become('dist/scripts/fuzz.js', args),
  simulate: (args) => become('dist/simulation/main.js', args),
  load: (args) => become('dist/src/main.js', ['load', ...args]),
  'latency-test': (args) => become('dist/bench/latency/main.js', args),
  sustained: (args) => become('dist/bench/sustained/main.js', args),
  scaling: (args) => become('dist/bench/scaling/main.js', args),
  plan: (args) => become('dist/plan/main.js', args),
  senders: (args) => become('dist/scripts/senders/main.js', args),
  'deploy-check': (args) => become('dist/scripts/deploy-check/main.js', args),
  'upgrade-test': (args) => become('dist/scripts/upgrade-test.js', args),
  recording: (args) => become('dist/scripts/recording.js', args),
  screenshots: (args) => become('dist/scripts/screenshots.js', args),
  contracts: (args) => become('dist/scripts/contracts/main.js', args),
  docs: (args) => become('dist/scripts/docs/main.js', args),
  build: () => {},
  // npm runs it before `npm pack` and `npm publish`, so a fresh clone needs no build.
  prepack: () => {},
  check,
  format: () => run(process.execPath, [biome(), 'check', '--write', '.'], 'biome check --write'),
  test: async (args) => {
    // With a filter it is work in progress, which may be unformatted.
    if (args.every((arg) => arg.startsWith('-'))) await check();
    return tests(...args);
  },
  'test:unit': (args) => tests('--suite=unit', ...args),
  'test:watch': (args) => tests('--suite=unit', '--watch', ...args),
  'test:bench': (args) => tests('--suite=bench', ...args),
  'test:long': (args) => tests('--suite=long', ...args),
  'image-test': () => {
    process.env.SLUICE_IMAGE_TEST = 'whole';
    process.env.SLUICE_REQUIRE_TOOLS = '1';
    return tests('test/image/');
  },
  'test:nodes': (args) => become('dist/scripts/tests/nodes.js', args),
};

const tests = (...args) => become('dist/scripts/tests/main.js', args);

// Runs the script in this process, so that signals and exit codes need no relay.
async function become(path, args) {
  const file = join(root, path);
  if (!existsSync(file)) throw new StepError(`${path} is missing: it has no source in this checkout.`);
  process.argv = [process.execPath, file, ...args];
  await import(pathToFileURL(file).href);
}

/** Side by side: each takes seconds, and one core. */
async function check() {
  await Promise.all([
    run(process.execPath, [biome(), 'check', '.'], 'biome check'),
    run(process.execPath, [join(root, 'dist/scripts/docs/main.js'), '--check'], 'docs --check'),
  ]);
}

const biome = () => join(root, 'node_modules/@biomejs/biome/bin/biome');

function run(command, args, name) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit' });
    child.once('error', (error) => reject(new StepError(`${name} failed: ${error.message}.`)));
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new StepError(`${name} failed.`, code ?? 1));
    });
  });
}

const [name, ...args] = process.argv.slice(2);
try {
  const job = Object.hasOwn(jobs, name ?? '') ? jobs[name] : undefined;
  if (!job) throw new StepError(`Usage: node scripts/run.mjs ${Object.keys(jobs).join('|')}`, 2);
  await prepare(root);
  await job(args);
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
