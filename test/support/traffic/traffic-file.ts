// Where a process of a test run keeps the traffic that it saw: KIND-PID.jsonl in the directory of the run, one entry a line.
// What it keeps has a limit: of each group the first entries, then one in many. It never fails a test: an entry that cannot be
// written is dropped. It imports only Node's modules, because every process of a test run loads it.
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** As scripts/tests/traffic.ts sets it. */
const DIRECTORY = process.env.SLUICE_TEST_TRAFFIC;
const FLUSH_MS = 500;
const FLUSH_LENGTH = 64 * 1024;
/** Of each kind. */
const MAX_LENGTH = 4 * 1024 * 1024;

export interface Bound {
  /** The number of entries of a group that are all kept. */
  readonly first: number;
  /** Of the entries after these, one in this many is kept. */
  readonly oneIn: number;
}
const USUAL: Bound = { first: 40, oneIn: 50 };

export const isRecording = DIRECTORY !== undefined && DIRECTORY !== '';

/** By kind. */
const waiting = new Map<string, string>();
const counts = new Map<string, number>();
const lengths = new Map<string, number>();
let hasTimer = false;

/** @param group what the bound counts @param entry asked only if it is kept */
export function note(
  kind: string,
  group: string,
  entry: () => object,
  { first, oneIn }: Bound = USUAL,
): void {
  const length = lengths.get(kind) ?? 0;
  if (!isRecording || length > MAX_LENGTH) return;
  const name = `${kind} ${group}`;
  const count = counts.get(name) ?? 0;
  counts.set(name, count + 1);
  if (count >= first && count % oneIn !== 0) return;
  const line = `${JSON.stringify(entry())}\n`;
  lengths.set(kind, length + line.length);
  const text = (waiting.get(kind) ?? '') + line;
  waiting.set(kind, text);
  if (text.length > FLUSH_LENGTH) flush();
  else if (!hasTimer) {
    hasTimer = true;
    // Tests may put other timers and files in the place of Node's: these were taken before.
    setTimer(flush, FLUSH_MS).unref();
    process.once('exit', flush);
  }
}

const setTimer = setInterval;
const append = appendFileSync;

function flush(): void {
  for (const [kind, text] of waiting) {
    try {
      append(join(DIRECTORY ?? '', `${kind}-${process.pid}.jsonl`), text);
    } catch {
      // No descriptor or no room is left, which is what the test is about.
    }
  }
  waiting.clear();
}

/** What all processes of the run have noted of this kind. A last line that was cut off by a kill is left out. */
export function readTraffic<T>(directory: string, kind: string): T[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith(`${kind}-`) && /^\d+\.jsonl$/.test(name.slice(kind.length + 1)))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as T);
}
