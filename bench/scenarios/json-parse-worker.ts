// The process that measures JSON.parse. It is fresh, so no other code has shaped its heap or its compiled code.
import { setTimeout as sleep } from 'node:timers/promises';
import { serveCalls } from '../../load/processes/child.ts';
import { linePool, type PoolOptions } from '../devices/lines.ts';

export interface JsonParseCalls {
  /** CPU microseconds a line, one value for each round. */
  measure(options: PoolOptions): number[];
  /** Begins to measure in short bursts that take a few percent of a core. */
  begin(options: PoolOptions): void;
  /** The mean of the bursts since begin(). The server's cost is a mean too, over fast and slow moments. */
  end(args: null): number;
}

const WARM_UP_ROUNDS = 2;
const ROUNDS = 7;
/** About 2 ms. */
const BURST_LINES = 3_000;
const BURST_PAUSE_MS = 50;

const bursts: number[] = [];
let ended = false;

serveCalls<JsonParseCalls>({
  measure: (options) => {
    const lines = warmedUp(options);
    return Array.from({ length: ROUNDS }, () => parseAll(lines));
  },
  begin: (options) => {
    void burst(warmedUp(options).slice(0, BURST_LINES));
  },
  end: () => {
    ended = true;
    return bursts.reduce((sum, us) => sum + us, 0) / bursts.length;
  },
});

function warmedUp(options: PoolOptions): string[] {
  const lines = linePool(options);
  for (let round = 0; round < WARM_UP_ROUNDS; round++) parseAll(lines);
  return lines;
}

async function burst(lines: readonly string[]): Promise<void> {
  while (!ended) {
    bursts.push(parseAll(lines));
    await sleep(BURST_PAUSE_MS);
  }
}

/** CPU time, not wall time: other programs on this machine must not count. */
function parseAll(lines: readonly string[]): number {
  const before = process.cpuUsage();
  let length = 0;
  for (const line of lines) length += (JSON.parse(line) as { type: string }).type.length;
  const { user, system } = process.cpuUsage(before);
  // Uses the results, so that the compiler cannot remove the work.
  if (length === 0) throw new Error('the lines hold nothing');
  return (user + system) / lines.length;
}
