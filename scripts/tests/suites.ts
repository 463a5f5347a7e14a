// The suites: which files belong to each, and how many run at a time. A Kafka is started only if a file needs one.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { runToEnd } from './command.ts';
import { longestFirst, readDurations } from './durations.ts';
import { type TestFile, type TestKind, testFiles } from './files.ts';
import { runWithKafka } from './kafka.ts';
import { useMemoryDisk } from './memory-disk.ts';
import type { RunnerOptions, Wave } from './runner.ts';
import { recordTraffic } from './traffic.ts';

export type Suite = 'all' | 'unit' | 'bench' | 'long';

const KINDS: Readonly<Record<Suite, readonly TestKind[]>> = {
  all: ['unit', 'slow', 'kafka', 'last'],
  unit: ['unit'],
  bench: ['bench'],
  long: ['long'],
};
const CORES = availableParallelism();
/**
 * Most files wait for brokers, processes or timers, so more of them run than there are cores: `most` while a core is idle,
 * `least` while none is. With a fixed number, cores were idle beside files that wait, and files that compute beside each
 * other delayed all timers.
 */
const CONCURRENCY: Readonly<Record<Suite, Wave['concurrency']>> = {
  all: { least: CORES + 1, most: CORES + 4 },
  unit: { least: 2 * CORES + 2, most: 2 * CORES + 2 },
  bench: { least: 1, most: 1 },
  long: { least: CORES, most: CORES + 2 },
};
/** About the CPU time that a file takes in a second, in the mean. */
const MIN_IDLE_CORES = 0.5;
/** For one file. Only a file that hangs reaches it. */
const FILE_TIMEOUT_MS = 600_000;
const RUNNER = fileURLToPath(new URL('runner.js', import.meta.url));
const COMPILE_CACHE = fileURLToPath(new URL('../../../.cache/compiled', import.meta.url));
const DURATIONS = fileURLToPath(new URL('../../../.cache/test-durations.json', import.meta.url));

/** Runs the files to their end. Resolves with the exit code. @param isWhole the files are all of their suite */
export async function runTests(
  files: readonly TestFile[],
  {
    suite,
    namePatterns = [],
    isWhole = false,
  }: { suite: Suite; namePatterns?: readonly string[]; isWhole?: boolean },
): Promise<number> {
  const last = files.filter(({ kind }) => kind === 'last');
  const options: RunnerOptions = {
    waves: wavesOf(longestFirst(files, readDurations(DURATIONS)), suite),
    last: last.map(({ path }) => path),
    minIdleCores: MIN_IDLE_CORES,
    timeoutMs: FILE_TIMEOUT_MS,
    namePatterns,
    durationsFile: DURATIONS,
  };
  // Random tests with a time limit are shorter in the unit suite.
  process.env.SLUICE_TEST_SUITE = suite;
  // Node 22 and later keep compiled modules there, so that each of the many test processes starts faster.
  process.env.NODE_COMPILE_CACHE ??= COMPILE_CACHE;
  const command = [process.execPath, RUNNER, JSON.stringify(options)];
  // The measuring tests keep the disk: its speed is part of what they measure.
  const cleanUp = suite === 'bench' ? () => {} : useMemoryDisk();
  const endRecording =
    last.length > 0 ? recordTraffic({ isWhole: isWhole && namePatterns.length === 0 }) : () => {};
  try {
    return await (files.some(({ needsKafka }) => needsKafka) ? runWithKafka(command) : runToEnd(command));
  } finally {
    endRecording();
    cleanUp();
  }
}

/** Unit files mostly wait for timers, so more of them run at a time. They come last, and fill the end of the long ones. */
function wavesOf(files: readonly TestFile[], suite: Suite): Wave[] {
  const wave = (isIn: (file: TestFile) => boolean, concurrency: Wave['concurrency']): Wave => ({
    files: files.filter(isIn).map(({ path }) => path),
    concurrency,
  });
  const isUnit = ({ kind }: TestFile) => kind === 'unit';
  const isOther = (file: TestFile) => !isUnit(file) && file.kind !== 'last';
  return [wave(isOther, CONCURRENCY[suite]), wave(isUnit, CONCURRENCY.unit)].filter(
    (one) => one.files.length > 0,
  );
}

/** The suite of the option --suite; `all` without it. */
export const suiteOf = (name: string): Suite =>
  name === 'unit' || name === 'bench' || name === 'long' ? name : 'all';

/** The files of a suite whose path contains one of the filters. With filters, `all` includes every kind. */
export function select(suite: Suite, filters: readonly string[]): TestFile[] {
  return testFiles().filter(({ source, kind }) => {
    if (suite === 'all' && filters.length > 0) return filters.some((part) => source.includes(part));
    return (
      KINDS[suite].includes(kind) && (filters.length === 0 || filters.some((part) => source.includes(part)))
    );
  });
}
