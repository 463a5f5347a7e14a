// Runs the given test files in the given order and prints them with Node's spec reporter.
// A process of its own, started by main.ts: `node dist/scripts/tests/runner.js OPTIONS_JSON`.
// It writes down how long each file took, so that the next run can begin with the longest.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { readDurations } from './durations.ts';

export interface RunnerOptions {
  readonly files: readonly string[];
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly namePatterns: readonly string[];
  readonly durationsFile: string;
}

const { files, concurrency, timeoutMs, namePatterns, durationsFile } = JSON.parse(
  process.argv[2] ?? '{}',
) as RunnerOptions;
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort());

const tookMs = new Map<string, number>();
const results = run({
  files: [...files],
  concurrency,
  timeout: timeoutMs,
  signal: abort.signal,
  ...(namePatterns.length > 0 && { testNamePatterns: [...namePatterns] }),
});
const onResult = (data: { nesting: number; file?: string; details: { duration_ms: number } }) => {
  if (data.nesting === 0 && data.file !== undefined)
    tookMs.set(data.file, (tookMs.get(data.file) ?? 0) + data.details.duration_ms);
};
results.on('test:pass', onResult);
results.on('test:fail', (data) => {
  onResult(data);
  process.exitCode = 1;
});
results.pipe(new spec()).pipe(process.stdout);
results.once('end', () => {
  if (namePatterns.length > 0) return;
  mkdirSync(dirname(durationsFile), { recursive: true });
  writeFileSync(
    durationsFile,
    JSON.stringify({ ...readDurations(durationsFile), ...Object.fromEntries(tookMs) }),
  );
});
