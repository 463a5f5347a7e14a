// Hunts one mutant: plays random histories with its fault until one fails, and holds the find against the code without
// the fault. It makes no copy of the code and prints nothing.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';

/** The end of a hunt. */
export interface Catch {
  /** `found`: a history failed with the fault and passes without it. */
  readonly outcome: 'found' | 'survived';
  readonly seconds: number;
  /** The seed of the history that failed. Undefined if the run ended and named none. */
  readonly seed?: number | undefined;
  /** The rule that was broken, and in which way. */
  readonly rule?: string;
  readonly words?: string;
  /** Histories that passed with the fault, in runs without a failure. */
  readonly passed: number;
  /** Seeds that fail without the fault too: faults of the code or of the simulator. */
  readonly unsound: readonly number[];
}

interface Failure {
  readonly seed: number | undefined;
  readonly rule: string;
  readonly words: string;
}

export interface HuntOptions {
  /** The folders with dist: that with the fault, and that without. */
  readonly mutated: string;
  readonly original: string;
  readonly minutes: number;
  /** Further options for the simulation. */
  readonly given: readonly string[];
  readonly signal: AbortSignal;
}

const MAX_SEED = 2 ** 31;
/** A history that began in time may end this much later. After that the run counts as one that never ends. */
const GRACE_MS = 60_000;
const KEPT_TEXT = 4096;

export async function hunt({ mutated, original, minutes, given, signal }: HuntOptions): Promise<Catch> {
  const startMs = performance.now();
  const seconds = () => (performance.now() - startMs) / 1000;
  const unsound: number[] = [];
  let passed = 0;
  for (;;) {
    const leftMinutes = minutes - seconds() / 60;
    if (leftMinutes <= 0 || signal.aborted)
      return { outcome: 'survived', seconds: seconds(), passed, unsound };
    const first = randomInt(MAX_SEED);
    const runMs = performance.now();
    const failure = await play(mutated, { first, minutes: leftMinutes }, { given, signal });
    if (typeof failure === 'number') {
      passed += failure;
      continue;
    }
    const found = { outcome: 'found', seconds: seconds(), passed, unsound, ...failure } as const;
    const { seed } = failure;
    const again =
      seed === undefined
        ? { first, minutes: (performance.now() - runMs) / 60_000 }
        : { first: seed, minutes: GRACE_MS / 60_000, histories: 1 };
    if (typeof (await play(original, again, { given, signal })) === 'number') return found;
    unsound.push(seed ?? first);
  }
}

interface Run {
  /** The first seed. */
  readonly first: number;
  readonly minutes: number;
  readonly histories?: number;
}

/** The number of histories, if all passed. */
async function play(
  folder: string,
  { first, minutes, histories }: Run,
  { given, signal }: Pick<HuntOptions, 'given' | 'signal'>,
): Promise<Failure | number> {
  const main = join(folder, 'dist', 'simulation', 'main.js');
  const count = histories === undefined ? [] : ['--histories', String(histories)];
  const args = ['--seed', String(first), '--minutes', String(minutes), ...count, ...given];
  const child = spawn(process.execPath, [main, '--no-shrink', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const withinMs = minutes * 60_000 + GRACE_MS;
  let isLate = false;
  const kill = () => child.kill('SIGKILL');
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, withinMs);
  signal.addEventListener('abort', kill, { once: true });
  const [output, errors, code] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    exitOf(child),
  ]);
  clearTimeout(timer);
  signal.removeEventListener('abort', kill);
  if (code === 0 || signal.aborted) return playedIn(output);
  if (isLate) return { seed: undefined, rule: 'a history never ends', words: `nothing after ${withinMs} ms` };
  return failureIn(output) ?? { seed: undefined, rule: 'the simulation crashed', words: errorIn(errors) };
}

/** The number of histories that the simulation tells in a line of JSON. */
function playedIn(output: string): number {
  return Number(/^\{"played":(\d+)\}$/m.exec(output)?.[1] ?? 0);
}

/** The failure that the simulation tells in a line of JSON. */
function failureIn(output: string): Failure | undefined {
  const line = output.split('\n').findLast((text) => text.startsWith('{"failed":'));
  return line === undefined ? undefined : (JSON.parse(line) as { failed: Failure }).failed;
}

/** The first error that Node names, or the last lines. */
function errorIn(text: string): string {
  const lines = text.trim().split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.slice(-3).join(' | ');
}

/** The end of a stream's text. */
function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const decoder = new StringDecoder();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text = (text + decoder.write(chunk)).slice(-KEPT_TEXT);
  });
  return new Promise((resolve) => stream.on('close', () => resolve(text)));
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
