// Runs the given test files, wave after wave, and prints each with Node's spec reporter once it has ended. A wave begins when
// the last file of the one before has begun, so no core has nothing to do meanwhile.
// A process of its own, started by main.ts: `node dist/scripts/tests/runner.js OPTIONS_JSON`.
// If few files fail, each runs once more, alone: many tests share few cores, and some have limits on time. A file that passes
// alone does not fail the run, but the last lines name it, since a test that fails now and then is a fault to mend.
// It writes down how long each file took, so that the next run can begin with the longest.
import { setMaxListeners } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { setTimeout as sleep } from 'node:timers/promises';
import { readDurations } from './durations.ts';

export interface Wave {
  readonly files: readonly string[];
  /** How many of them run at a time: `least` if the cores are busy, up to `most` if one is idle. */
  readonly concurrency: { readonly least: number; readonly most: number };
}

export interface RunnerOptions {
  readonly waves: readonly Wave[];
  /** Run when all others have ended, whose traffic they judge. */
  readonly last?: readonly string[];
  /** Of all cores together. If more of them is idle, a core counts as idle. */
  readonly minIdleCores: number;
  readonly timeoutMs: number;
  readonly namePatterns: readonly string[];
  readonly durationsFile: string;
}

/** As node:test reports it, as far as it is read here. */
interface Event {
  readonly type: string;
  readonly data: {
    readonly nesting?: number;
    readonly name?: string;
    readonly file?: string;
    readonly message?: string;
    readonly skip?: boolean | string;
    readonly todo?: boolean | string;
    readonly details?: {
      readonly duration_ms: number;
      readonly type?: string;
      readonly error?: { readonly failureType?: string };
    };
  };
}

const IDLE_LOOK_MS = 2_000;
const SLOWEST = 20;

/** The names of Node's own summary. */
const COUNTED = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo'] as const;

/** One file's last run. */
class FileResult {
  readonly counts = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  ms = 0;

  get hasFailed(): boolean {
    return this.counts.fail + this.counts.cancelled > 0;
  }

  add({ type, data }: Event): void {
    if (type !== 'test:pass' && type !== 'test:fail') return;
    if (data.nesting === 0) this.ms += data.details?.duration_ms ?? 0;
    if (data.details?.type === 'suite') {
      this.counts.suites++;
      // A suite that fails without a failed test, as by its own time limit.
      if (type === 'test:fail' && !this.hasFailed) this.counts.fail++;
      return;
    }
    this.counts.tests++;
    this.counts[outcomeOf({ type, data })]++;
  }
}

function outcomeOf({ type, data: { skip, todo, details } }: Event) {
  if (skip !== undefined) return 'skipped';
  if (todo !== undefined) return 'todo';
  if (type === 'test:pass') return 'pass';
  return details?.error?.failureType === 'cancelledByParent' ? 'cancelled' : 'fail';
}

/**
 * Of all files, but two at least. Failures under load are independent, so their number grows with that of the files; a change
 * that breaks more than this breaks it alone, too (decision 0071).
 */
const MAX_RERUN_SHARE = 0.01;

const {
  waves,
  last = [],
  minIdleCores,
  timeoutMs,
  namePatterns,
  durationsFile,
} = JSON.parse(process.argv[2] ?? '{}') as RunnerOptions;
const abort = new AbortController();
// Each file adds a listener.
setMaxListeners(0, abort.signal);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort());

/** By path of the compiled file. */
const results = new Map<string, FileResult>();
const reporter = new spec();
reporter.pipe(process.stdout);
const startedMs = performance.now();

/** Runs a wave, and the next ones from the time at which its last file has begun. */
async function runFrom(index: number): Promise<void> {
  const wave = waves[index];
  if (wave === undefined) return;
  const waiting = [...wave.files];
  const { least, most } = wave.concurrency;
  let later: Promise<void> | undefined;
  let lanes = 0;
  let wanted = least;
  const runLane = async () => {
    lanes++;
    do {
      const file = waiting.shift();
      if (file === undefined) break;
      const running = runFile(file);
      if (waiting.length === 0) later ??= runFrom(index + 1);
      await running;
    } while (lanes <= wanted);
    lanes--;
  };
  const running = Array.from({ length: least }, runLane);
  if (most > least && waiting.length > 0)
    for await (const isIdle of idleCores()) {
      if (waiting.length === 0) break;
      wanted = Math.min(most, Math.max(least, wanted + (isIdle ? 1 : -1)));
      if (lanes < wanted) running.push(runLane());
    }
  await Promise.all(running);
  await later;
}

/** Says every two seconds, in which a file that was just begun shows its load, whether a core was idle enough. */
async function* idleCores(): AsyncGenerator<boolean> {
  for (let before = idleMs(); ; ) {
    const since = performance.now();
    await sleep(IDLE_LOOK_MS);
    const now = idleMs();
    yield (now - before) / (performance.now() - since) > minIdleCores;
    before = now;
  }
}

/**
 * Of all cores since the machine has started. The build of Helm has a higher nice value and gives way to tests, so its time
 * counts as idle.
 */
const idleMs = (): number => cpus().reduce((sum, { times }) => sum + times.idle + times.nice, 0);

/** Files have a run each: Node reports a test of a helper, such as kafkaTest, as one of the helper's file. */
async function runFile(file: string): Promise<void> {
  const result = new FileResult();
  results.set(file, result);
  const events: Event[] = [];
  const reported = run({
    files: [file],
    concurrency: 1,
    timeout: timeoutMs,
    signal: abort.signal,
    ...(namePatterns.length > 0 && { testNamePatterns: [...namePatterns] }),
  });
  for await (const event of reported as AsyncIterable<Event>) {
    result.add(event);
    if (!isTotal(event)) events.push(event);
  }
  // In one go, so that files which run at the same time are not mixed.
  for (const event of events) reporter.write(event);
}

const isTotal = ({ type, data: { nesting, file } }: Event) =>
  type === 'test:diagnostic' && nesting === 0 && file === undefined;

const say = (message: string) => reporter.write({ type: 'test:diagnostic', data: { nesting: 0, message } });

/** The longest of many files, for whoever has to make the run shorter: CI deletes its checkout, and .cache with it. */
function slowest(count: number): [file: string, result: FileResult][] {
  if (results.size <= count) return [];
  return [...results].sort(([, a], [, b]) => b.ms - a.ms).slice(0, count);
}

const failedFiles = () => [...results].filter(([, { hasFailed }]) => hasFailed).map(([file]) => file);

/** Returns the files that passed then. */
async function rerunAlone(files: readonly string[]): Promise<string[]> {
  say(`${files.length} of ${results.size} files failed beside others, and run once more, alone`);
  for (const file of files) await runFile(file);
  return files.filter((file) => results.get(file)?.hasFailed === false);
}

await runFrom(0);
if (!abort.signal.aborted) await Promise.all(last.map(runFile));
const failed = failedFiles();
for (const [file, { ms }] of slowest(SLOWEST)) say(`took ${Math.round(ms / 1000)} s: ${file}`);
const maxReruns = Math.max(2, Math.ceil(results.size * MAX_RERUN_SHARE));
const mayDisturbEachOther = results.size > failed.length && failed.length > 0 && failed.length <= maxReruns;
const passedAlone = mayDisturbEachOther && !abort.signal.aborted ? await rerunAlone(failed) : [];
for (const name of COUNTED) {
  const total = [...results.values()].reduce((sum, { counts }) => sum + counts[name], 0);
  say(`${name} ${total}`);
}
say(`duration_ms ${performance.now() - startedMs}`);
for (const file of passedAlone) say(`FAILED AT FIRST, passed alone, so find out why: ${file}`);
reporter.end();
if (failedFiles().length > 0) process.exitCode = 1;
if (namePatterns.length === 0) {
  mkdirSync(dirname(durationsFile), { recursive: true });
  const tookMs = Object.fromEntries([...results].map(([file, { ms }]) => [file, ms]));
  writeFileSync(durationsFile, JSON.stringify({ ...readDurations(durationsFile), ...tookMs }));
}
