// How long each test file took when it last ran here, which decides the order of the next run.
import { readFileSync } from 'node:fs';
import type { TestFile } from './files.ts';

/** Milliseconds by path of the compiled file; empty on the first run. */
export function readDurations(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  } catch {
    return {};
  }
}

/** Without a measurement: long kinds before short ones. */
const ASSUMED_MS = { slow: 40_000, kafka: 20_000, bench: 20_000, unit: 1_000 } as const;

/** The longest first, so that no long file is left alone at the end while other cores have nothing to do. */
export function longestFirst(
  files: readonly TestFile[],
  tookMs: Readonly<Record<string, number>>,
): TestFile[] {
  const duration = ({ path, kind }: TestFile) => tookMs[path] ?? ASSUMED_MS[kind];
  return [...files].sort((a, b) => duration(b) - duration(a));
}
