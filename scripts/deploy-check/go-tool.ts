// Builds programs that are written in Go, from the Go module proxy, once for each version, into the user's cache, as Kafka and
// the senders are: every checkout on this machine has them. They are tools of the checks only: nothing of Sluice needs them
// at run time.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { tryFlock } from '../../src/disk/flock.ts';

export interface GoTool {
  /** The name of the program. */
  readonly name: string;
  /** The module that is downloaded, such as `helm.sh/helm/v3`. */
  readonly module: string;
  readonly version: string;
  /** The package of the program, such as `helm.sh/helm/v3/cmd/helm`. */
  readonly package: string;
}

export type BuiltTool =
  | { readonly ok: true; readonly path: string }
  /** `reason` is a sentence for people. */
  | { readonly ok: false; readonly reason: string };

/** A test file may take ten minutes. The next try goes on from Go's cache. */
const BUILD_MS = 8 * 60_000;
export const DOWNLOAD_MS = 60_000;
/** Of all checkouts on this machine. */
export const USER_CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sluice');
const CACHE = join(USER_CACHE, 'go-tools');
/**
 * Neither optimized nor inlined, and without names for debuggers: the tools run for tenths of a second, and are built for
 * minutes. All tools and programs of the tests share these flags, so they share the compiled library of Go.
 */
export const GO_BUILD = ['build', '-trimpath', '-gcflags=all=-N -l', '-ldflags=-s -w'] as const;
/** Without C: Go's cache would have its library twice. */
export const GO_ENV = { CGO_ENABLED: '0' } as const;

/** The path of the tool, whether it is built or not. */
export function goToolPath({ name, version }: GoTool): string {
  return join(CACHE, `${name}-${version}`);
}

export function isBuilt(tool: GoTool): boolean {
  return existsSync(goToolPath(tool));
}

/**
 * Builds the tool unless it is there. Says on standard error that it builds, because that takes minutes.
 * @param maxMs after this time the build is given up
 */
export function buildGoTool(tool: GoTool, maxMs = BUILD_MS): BuiltTool {
  const path = goToolPath(tool);
  if (existsSync(path)) return { ok: true, path };
  if (spawnSync('go', ['version']).status !== 0)
    return { ok: false, reason: `${tool.name} is not built, and there is no Go to build it with` };
  console.error(
    `building ${tool.name} ${tool.version} from the Go module proxy; without a cache that takes minutes`,
  );
  mkdirSync(dirname(path), { recursive: true });
  const lock = openSync(`${path}.lock`, 'a');
  // A module of its own: the versions of Helm's go.mod count, and no go.mod around this checkout.
  const folder = mkdtempSync(join(tmpdir(), 'sluice-go-'));
  try {
    waitForLock(lock);
    if (existsSync(path)) return { ok: true, path };
    writeFileSync(join(folder, 'go.mod'), 'module tools\n');
    const unfinished = `${path}.unfinished`;
    const problem =
      run(['get', `${tool.module}@${tool.version}`], { cwd: folder, timeout: DOWNLOAD_MS }) ??
      run([...GO_BUILD, '-mod=mod', '-o', unfinished, tool.package], {
        cwd: folder,
        timeout: maxMs,
      });
    if (problem !== undefined) return { ok: false, reason: `${tool.name} could not be built: ${problem}` };
    renameSync(unfinished, path);
    return { ok: true, path };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    closeSync(lock);
  }
}

/** Test files run side by side, and each would build the tool. The lock of a process that was killed is gone. */
function waitForLock(fd: number): void {
  // There is no flock.
  if (process.platform === 'win32') return;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  while (!tryFlock(fd, 'exclusive')) Atomics.wait(sleeper, 0, 0, 500);
}

/**
 * The folder of a module's source, downloaded if it is not there.
 * @returns undefined without Go, or if the proxy does not have it
 */
export function goModuleFolder(module: string, version: string): string | undefined {
  const { status, stdout } = spawnSync('go', ['mod', 'download', '-json', `${module}@${version}`], {
    cwd: tmpdir(),
    encoding: 'utf8',
    timeout: DOWNLOAD_MS,
  });
  return status === 0 ? (JSON.parse(stdout) as { Dir: string }).Dir : undefined;
}

/**
 * Gives way to other processes: the compiler fills all cores, and tests with limits on time run beside it.
 * @returns the last lines of Go's output, if it failed
 */
function run(args: readonly string[], options: { cwd: string; timeout: number }): string | undefined {
  const [program, ...words] = process.platform === 'win32' ? ['go'] : ['nice', '-n', '5', 'go'];
  const { status, stderr, error } = spawnSync(program ?? '', [...words, ...args], {
    ...options,
    env: { ...process.env, ...GO_ENV },
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  return error?.message ?? stderr.trim().split('\n').slice(-3).join(' | ');
}
