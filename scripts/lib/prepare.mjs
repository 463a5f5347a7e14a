// Brings node_modules and dist up to date with their sources, and never runs anything from them.
// npm records what it installed; dist holds a stamp, a hash of everything it was made from. Checking takes milliseconds.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BUNDLE, bundle } from './bundle.mjs';
import { filesUnder } from './files.mjs';
import { withLock } from './lock.mjs';

const SOURCE_DIRS = [
  'src',
  'load',
  'bench',
  'conformance',
  'plan',
  'simulation',
  'scripts',
  'examples',
  'test',
];
const COMPILED = /\.tsx?$|\.json$/;
/** The second project is the page for browsers: there are no DOM types in the first, and no types of Node in the second. */
const PROJECTS = ['.', 'src/dashboard/page'];
const COPIED = /\.(?:css|svg)$/;
const BUILT_BY = ['package-lock.json', 'tsconfig.json', 'scripts/lib/bundle.mjs'];

/** A failed step. Its message is shown to the user, and the process ends with `exitCode`. */
export class StepError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode || 1;
  }
}

/** Installs and builds under `root`, each only if it is out of date. */
export async function prepare(root) {
  // bundle.mjs and the files that it makes call it.
  if (typeof process.getBuiltinModule !== 'function') {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    throw new StepError(`Node.js ${engines.node} is needed, and this is ${process.version}.`);
  }
  if (isInstalled(root) && isBuilt(root)) return;
  await withLock(join(root, '.cache', 'prepare.lock'), async () => {
    if (!isInstalled(root)) install(root);
    if (!isBuilt(root)) await build(root);
  });
}

/** Also true after `npm ci` by hand. Optional packages may be missing if they are for other platforms. */
export function isInstalled(root) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const { '': _project, ...wanted } = packagesIn(join(root, 'package-lock.json'));
  const installed = packagesIn(record);
  return (
    Object.keys(installed).every((path) => path in wanted) &&
    Object.entries(wanted).every(([path, { integrity, optional }]) =>
      path in installed
        ? installed[path].integrity === integrity
        : optional === true && !isForHere(wanted[path]),
    )
  );
}

// False for packages of one libc, because nothing here knows the libc of this machine.
const isForHere = ({ os, cpu, libc }) =>
  libc === undefined && os?.includes(process.platform) === true && cpu?.includes(process.arch) === true;

export const isBuilt = (root) => hasStamp(buildStampFile(root), buildStamp(root));

const packagesIn = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
const buildStampFile = (root) => join(root, 'dist', '.sluice-build');

// Hashes contents, not times: git and rsync change times freely, and reading the files takes a few ms.
export function buildStamp(root) {
  const hash = createHash('sha256');
  for (const file of [...BUILT_BY, ...sources(root)]) {
    const bytes = readFileSync(join(root, file));
    hash.update(`${file} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

function install(root) {
  console.error('Installing dependencies (npm ci). The first time takes a minute.');
  const result = npm(root, ['ci']);
  if (result.status !== 0)
    throw new StepError(`The install failed (${outcome(result)}); see above.`, result.status);
}

function npm(root, command) {
  // The compiler is a development package, so install those even if NODE_ENV=production is set.
  const args = [
    ...command,
    '--include=dev',
    '--include=optional',
    // The options of `npm pack --dry-run --json` and `npm publish` reach us by the environment.
    '--no-dry-run',
    '--no-json',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  // npm's output goes to stderr: the stdout of `npm start` is the log of the gateway.
  const options = { cwd: root, stdio: ['ignore', 2, 2] };
  const script = process.env.npm_execpath;
  return script?.endsWith('.js')
    ? spawnSync(process.execPath, [script, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
}

async function build(root) {
  const stamp = buildStamp(root);
  rmSync(buildStampFile(root), { force: true });
  // Builds over the old dist: emptying it first would take the files of a gateway that runs from there.
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const project of PROJECTS.filter((folder) => existsSync(join(root, folder, 'tsconfig.json')))) {
    const args = [tsc, '-p', join(root, project), '--noEmitOnError'];
    const result = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
    if (result.status !== 0)
      throw new StepError(`The build failed (${outcome(result)}); see above.`, result.status);
  }
  for (const file of sources(root).filter((name) => COPIED.test(name))) copy(root, file);
  removeOrphans(root);
  await bundle(root).catch((error) => {
    throw new StepError(`The build failed (${error.message}); see above.`);
  });
  writeFileSync(buildStampFile(root), stamp);
}

function copy(root, file) {
  const target = join(root, 'dist', file);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(root, file), target);
}

// Otherwise a compiled test whose source was deleted would still run.
function removeOrphans(root) {
  const known = new Set(sources(root).map((file) => file.replace(/\.tsx?$/, '.js')));
  for (const file of filesUnder(root, 'dist')) {
    if (file.startsWith(`${BUNDLE}/`)) continue;
    const source = file.slice('dist/'.length).replace(/\.map$/, '');
    if (!known.has(source)) rmSync(join(root, file));
  }
}

const sources = (root) =>
  SOURCE_DIRS.flatMap((dir) => filesUnder(root, dir))
    .filter((file) => COMPILED.test(file) || COPIED.test(file))
    .sort();

function hasStamp(file, stamp) {
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

function outcome({ status, signal, error }) {
  return error ? error.message : signal ? `signal ${signal}` : `exit code ${status}`;
}
