// Builds the gateway of another commit from the history of this checkout, once, into `.cache/builds`. Its packages are those
// of this checkout: an old commit cannot be installed as it was, because its lock file has no packages of other platforms.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');
const BUILDS = join(ROOT, '.cache', 'builds');
/** The sources that some version of the gateway needed at run time. */
const SOURCES = ['src', 'load', 'package.json', 'tsconfig.json'];
const MAX_ARCHIVE_BYTES = 256 * 2 ** 20;

export interface Build {
  /** As it was asked for, and the commit. */
  readonly name: string;
  /** The program. */
  readonly main: string;
}

/** The commit is not in the history that is here: a shallow clone, or no clone at all. */
export class NoHistoryError extends Error {
  readonly code = 'NO_HISTORY';
}

/** The working tree, as it is built. */
export const THIS_BUILD: Build = { name: 'this checkout', main: join(ROOT, 'dist/src/main.js') };

/** @param commit anything that git understands @throws NoHistoryError, or Error if it cannot be built */
export function buildOf(commit: string): Build {
  const id = idOf(commit);
  const target = join(BUILDS, id);
  const build = { name: id.startsWith(commit) ? commit : `${commit} (${id.slice(0, 7)})`, main: '' };
  if (!existsSync(target)) make(id, target);
  return { ...build, main: join(target, 'dist/src/main.js') };
}

function idOf(commit: string): string {
  const asked = ['rev-parse', '--quiet', '--verify', '--end-of-options', `${commit}^{commit}`];
  const { status, stdout, error } = spawnSync('git', asked, { cwd: ROOT, encoding: 'utf8' });
  // A tarball that was unpacked inside of another repository has its history, but not ours.
  if (status === 0 && existsSync(join(ROOT, '.git'))) return stdout.trim();
  throw new NoHistoryError(
    error === undefined
      ? `there is no commit ${commit} here (git fetch --unshallow brings the whole history)`
      : `git cannot be started (${error.message})`,
  );
}

function make(id: string, target: string): void {
  mkdirSync(BUILDS, { recursive: true });
  const directory = mkdtempSync(join(BUILDS, 'unfinished-'));
  try {
    const there = SOURCES.filter((path) => git(['ls-tree', '--name-only', id, path]).length > 0);
    const archive = git(['archive', '--format=tar', id, ...there]);
    run('tar', ['-x', '-C', directory], archive);
    symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    const project = join(directory, 'tsconfig.build.json');
    const include = there.filter((path) => !path.endsWith('.json'));
    writeFileSync(
      project,
      JSON.stringify({ extends: './tsconfig.json', include, compilerOptions: { sourceMap: false } }),
    );
    // Types of newer packages may differ, which stops no program: the plays find out whether it works.
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    spawnSync(process.execPath, [tsc, '-p', project, '--noEmitOnError', 'false'], { cwd: directory });
    if (!existsSync(join(directory, 'dist/src/main.js')))
      throw new Error(`commit ${id} was not compiled: there is no dist/src/main.js`);
    if (readFileSync(join(directory, 'package.json'), 'utf8').includes('dist/bundle')) bundle(directory);
    // Two tests may build the same commit. The first one that is ready counts.
    if (!existsSync(target)) renameSync(directory, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Commits since decision 86 start from it. */
function bundle(directory: string): void {
  const module = pathToFileURL(join(ROOT, 'scripts/lib/bundle.mjs')).href;
  const script = `(await import(${JSON.stringify(module)})).bundle(process.argv[1])`;
  run(process.execPath, ['--input-type=module', '-e', script, directory]);
}

const git = (args: readonly string[]): Buffer => run('git', args);

function run(command: string, args: readonly string[], input?: Buffer): Buffer {
  const result = spawnSync(command, args, { cwd: ROOT, input, maxBuffer: MAX_ARCHIVE_BYTES });
  if (result.status === 0) return result.stdout;
  throw new Error(`${command} ${args.join(' ')}: ${result.error?.message ?? result.stderr}`);
}
