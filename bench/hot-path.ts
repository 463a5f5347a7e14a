// Measures the cost of a usual line from the queue to a sink that does nothing: `node dist/bench/hot-path.js`. It
// counts CPU time, so other processes disturb it little. It opens no socket and needs no Kafka.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RecordFrame } from '../src/protocol/record-frame.ts';
import type { Lane, Session } from '../src/queue/job.ts';
import { JobQueue } from '../src/queue/job-queue.ts';
import { TurnBudget } from '../src/queue/turn-budget.ts';
import { WorkerPool } from '../src/workers/worker-pool.ts';
import { NO_SINK } from './no-sink.ts';

const RUNS = 15;
const LINES_A_RUN = 400_000;
const LINE =
  '{"type":"metrics","data":{"timestamp":"2026-11-21T08:00:00Z","temperature":21.5,"humidity":60.25,"pressure":1013.2,"wind_speed":3.4,"wind_direction":270,"rain":0.0,"station":"roof-2"}}\n';
const SHAPES = [
  { devices: 4, linesARead: 340 },
  { devices: 100, linesARead: 10 },
  { devices: 2000, linesARead: 1 },
];

class SilentSession implements Session {
  readonly id = 'c';
  readonly remoteAddress = '192.0.2.7';
  readonly deviceId = undefined;
  readonly frame = new RecordFrame({ connectionId: 'c', zipcode: '1', city: 'c', deviceId: undefined });
  lane: Lane | undefined;
  partition = -1;
  generation = -1;
  lastSeq = -1;
  resumedSeq = -1;
  jobs = 0;

  identify(): void {}
  accept(): void {}
  refuse(): void {}
  alive(): void {}
  time(): void {}
  warnUnknownField(): void {}
  expectStored(): void {}
  alreadyStored(): void {}
  stored(): void {}
  onRoom(): void {}
  done(): void {
    this.jobs--;
  }
}

for (const shape of SHAPES) await measure(shape);

async function measure({ devices, linesARead }: (typeof SHAPES)[number]): Promise<void> {
  const budget = new TurnBudget();
  const queue = new JobQueue({ capacity: 100_000, capacityBytes: 1e9, budget });
  const pool = new WorkerPool(queue, NO_SINK, { count: 8, awaitConfirmation: false, budget });
  pool.start();
  const sessions = Array.from({ length: devices }, () => new SilentSession());
  const chunk = Buffer.from(LINE.repeat(linesARead));
  const costs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage();
    for (let lines = 0; lines < LINES_A_RUN; ) {
      for (const session of sessions) {
        for (let start = 0; start < chunk.length; start += LINE.length) {
          session.jobs++;
          const end = start + LINE.length - 1;
          queue.offer({ session, bytes: chunk, start, end, receivedAtMs: 1, next: undefined });
        }
        lines += linesARead;
        // Each read is a callback of its own, and promises are settled after it.
        await undefined;
      }
      while (queue.stats.depth > 0) await nextTurn();
    }
    const { user, system } = process.cpuUsage(before);
    costs.push(((user + system) * 1000) / LINES_A_RUN);
  }
  queue.close();
  await pool.finished();
  costs.sort((a, b) => a - b);
  const [best = 0, median = 0] = [costs[0], costs[RUNS >> 1]].map((ns) => Math.round(ns ?? 0));
  console.log(`${devices} devices, ${linesARead} lines a read: ${best} ns a line at best, median ${median}`);
}
