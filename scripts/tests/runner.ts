// Runs the given test files, wave after wave, and prints them with Node's spec reporter. A wave begins when the last file of
// the one before has begun, so no core has nothing to do meanwhile.
// A process of its own, started by main.ts: `node dist/scripts/tests/runner.js OPTIONS_JSON`.
// It writes down how long each file took, so that the next run can begin with the longest.
import { setMaxListeners } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { readDurations } from './durations.ts';

export interface Wave {
  readonly files: readonly string[];
  /** How many of them run at a time. */
  readonly concurrency: number;
}

export interface RunnerOptions {
  readonly waves: readonly Wave[];
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
    readonly details?: { readonly duration_ms: number };
  };
}

const { waves, timeoutMs, namePatterns, durationsFile } = JSON.parse(
  process.argv[2] ?? '{}',
) as RunnerOptions;
const abort = new AbortController();
// Each file adds a listener.
setMaxListeners(0, abort.signal);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => abort.abort());

const tookMs = new Map<string, number>();
/** `tests`, `pass`, `fail` and so on, of all waves. */
const totals = new Map<string, number>();
const reporter = new spec();
reporter.pipe(process.stdout);
const startedMs = performance.now();

/** Runs a wave, and the next ones from the time at which its last file has begun. They are printed after it. */
async function runFrom(index: number): Promise<Event[]> {
  const wave = waves[index];
  if (wave === undefined) return [];
  const { files, concurrency } = wave;
  const waiting = new Set(files);
  let later: Promise<Event[]> | undefined;
  const kept: Event[] = [];
  const results = run({
    files: [...files],
    concurrency,
    timeout: timeoutMs,
    signal: abort.signal,
    ...(namePatterns.length > 0 && { testNamePatterns: [...namePatterns] }),
  });
  for await (const event of results as AsyncIterable<Event>) {
    const { type, data } = event;
    if (type === 'test:dequeue' && data.name !== undefined) waiting.delete(data.name);
    if (waiting.size === 0) later ??= runFrom(index + 1);
    note(event);
    if (isTotal(event)) add(data.message ?? '');
    else if (index === 0) reporter.write(event);
    else kept.push(event);
  }
  return [...kept, ...(await (later ?? runFrom(index + 1)))];
}

const isTotal = ({ type, data: { nesting, file } }: Event) =>
  type === 'test:diagnostic' && nesting === 0 && file === undefined;

function add(message: string): void {
  const [name = '', count = '0'] = message.split(' ');
  totals.set(name, (totals.get(name) ?? 0) + Number(count));
}

function note({ type, data: { nesting, file, details } }: Event): void {
  if (type === 'test:fail') process.exitCode = 1;
  if ((type === 'test:fail' || type === 'test:pass') && nesting === 0 && file !== undefined)
    tookMs.set(file, (tookMs.get(file) ?? 0) + (details?.duration_ms ?? 0));
}

for (const event of await runFrom(0)) reporter.write(event);
totals.set('duration_ms', performance.now() - startedMs);
for (const [name, count] of totals)
  reporter.write({ type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${count}` } });
reporter.end();
if (namePatterns.length === 0) {
  mkdirSync(dirname(durationsFile), { recursive: true });
  writeFileSync(
    durationsFile,
    JSON.stringify({ ...readDurations(durationsFile), ...Object.fromEntries(tookMs) }),
  );
}
