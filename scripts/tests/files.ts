// Says which test file needs Kafka or a quiet machine, and which only Node. It never runs a test.
// Kafka is found by imports, so no list can be out of date: a file needs Kafka if it imports, through any number of
// files, scripts/kafka/runtime.ts, which finds Docker or Java. The other kinds are part of the file's name.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `bench`: *.bench.test.ts. `long`: *.long.test.ts. `last`: *.last.test.ts. `kafka`: by imports. `slow`: *.slow.test.ts.
 * `unit`: all others.
 */
export type TestKind = 'unit' | 'slow' | 'kafka' | 'bench' | 'long' | 'last';

export interface TestFile {
  /** Absolute path of the compiled file. */
  readonly path: string;
  /** From the root of the project, as its author knows it: `test/queue/job-queue.test.ts`. */
  readonly source: string;
  readonly kind: TestKind;
  readonly needsKafka: boolean;
  /** Absolute paths of all compiled files that it imports, itself included. */
  readonly imports: ReadonlySet<string>;
}

const DIST = fileURLToPath(new URL('../../', import.meta.url));
const KAFKA_RUNTIME = join(DIST, 'scripts/kafka/runtime.js');
/** Static imports of the compiled code, where imports of types are gone. */
const IMPORT = /\bfrom\s*['"](\.[^'"\n]+)['"]|^import\s*['"](\.[^'"\n]+)['"]/gm;

/** Every compiled test file, by path. */
export function testFiles(): TestFile[] {
  const direct = new Map<string, string[]>();
  return readdirSync(join(DIST, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => {
      const path = join(DIST, 'test', name);
      const imports = reachableFrom(path, direct);
      const source = `test/${name.replaceAll('\\', '/').replace(/\.js$/, '.ts')}`;
      const needsKafka = imports.has(KAFKA_RUNTIME);
      return { path, source, imports, needsKafka, kind: kindOf(source, needsKafka) };
    });
}

function kindOf(source: string, needsKafka: boolean): TestKind {
  if (source.endsWith('.bench.test.ts')) return 'bench';
  if (source.endsWith('.long.test.ts')) return 'long';
  if (source.endsWith('.last.test.ts')) return 'last';
  if (needsKafka) return 'kafka';
  return source.endsWith('.slow.test.ts') ? 'slow' : 'unit';
}

function reachableFrom(start: string, direct: Map<string, string[]>): Set<string> {
  const seen = new Set([start]);
  for (const file of seen) {
    const imported = direct.get(file) ?? importsOf(file);
    direct.set(file, imported);
    for (const target of imported) seen.add(target);
  }
  return seen;
}

function importsOf(file: string): string[] {
  if (!existsSync(file)) return [];
  const code = readFileSync(file, 'utf8');
  return [...code.matchAll(IMPORT)].map(([, from, bare]) => join(dirname(file), from ?? bare ?? ''));
}
