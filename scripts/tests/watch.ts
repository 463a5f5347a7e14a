// Runs a suite, then after each change of a source the files of the suite that import that source. Builds first.
import { type FSWatcher, watch as watchFiles } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { interrupted, runToEnd } from './command.ts';
import { runTests, type Suite, select } from './suites.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDERS = ['src', 'load', 'bench', 'plan', 'scripts', 'test'];
/** An editor writes a file in several steps, and a checkout writes many files. */
const SETTLE_MS = 100;

/** Goes on until Ctrl-C. */
export async function watch(
  suite: Suite,
  { filters, namePatterns }: { filters: readonly string[]; namePatterns: readonly string[] },
): Promise<number> {
  const changes = new Changes();
  let changed: ReadonlySet<string> | undefined;
  while (!interrupted.aborted) {
    const isBuilt = (await runToEnd([process.execPath, join(ROOT, 'scripts/run.mjs'), 'build'])) === 0;
    const files = select(suite, filters).filter(
      ({ imports }) => changed === undefined || meet(imports, changed),
    );
    if (isBuilt && files.length > 0) await runTests(files, { suite, namePatterns });
    if (interrupted.aborted) break;
    const names = files.map(({ source }) => source).join(' ');
    console.log(isBuilt ? `\nRan ${files.length < 6 ? names || 'nothing' : `${files.length} files`}.` : '');
    console.log('Waiting for a change; Ctrl-C ends.');
    const next = await changes.next();
    // After a failed build nothing ran, so the earlier changes still count.
    changed = isBuilt ? next : changed && new Set([...changed, ...next]);
  }
  changes.close();
  return 0;
}

const meet = (imports: ReadonlySet<string>, changed: ReadonlySet<string>): boolean =>
  [...changed].some((path) => imports.has(path));

/** Collects the compiled paths of changed sources. */
class Changes {
  readonly #watchers: FSWatcher[];
  #changed = new Set<string>();
  #wake = () => {};

  constructor() {
    this.#watchers = FOLDERS.map((folder) =>
      watchFiles(join(ROOT, folder), { recursive: true }, (_, name) => {
        if (name === null || !/\.(?:m?ts|tsx|json)$/.test(name)) return;
        this.#changed.add(join(ROOT, 'dist', folder, name.replace(/\.tsx?$/, '.js')));
        this.#wake();
      }),
    );
  }

  /** Resolves with the files that changed since the last call; with nothing once interrupted. */
  async next(): Promise<ReadonlySet<string>> {
    if (this.#changed.size === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        interrupted.addEventListener('abort', () => resolve(), { once: true });
      });
    await sleep(SETTLE_MS);
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}
