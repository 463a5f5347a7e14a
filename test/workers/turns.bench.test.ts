// How much time a turn of the event loop takes while 64 workers have the most expensive lines there are.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fullLine } from '../../bench/devices/full-line.ts';
import { NO_SINK } from '../../bench/no-sink.ts';
import { JobQueue } from '../../src/queue/job-queue.ts';
import { TURN_BUDGET_MS, TurnBudget } from '../../src/queue/turn-budget.ts';
import { Worker } from '../../src/workers/worker.ts';
import { WorkerPool } from '../../src/workers/worker-pool.ts';
import { NotingSession } from '../support/session.ts';

const name = (index: number) => index.toString(36);

for (const [what, line] of [
  ['tiny fields', fullLine('{"type":"metrics","data":{', (index) => `"${name(index)}":1`, '}}')],
  ['readings of one field', `{"type":"metrics","data":[${'{"a":1},'.repeat(999)}{"a":1}]}`],
  ['pairs', `{"type":"metrics","data":[${Array(1000).fill('"a=b,c=d,e=f"').join(',')}]}`],
  ['unknown keys', fullLine('{', (index) => `"${name(index)}":1`, ',"type":"keepalive"}')],
  ['nothing but brackets', `{"type":"metrics","data":${'['.repeat(64_000)}`],
  ['an empty line', ''],
] as const)
  it(`${what}: no turn is longer than twice the budget and one line`, async (t) => {
    const budget = new TurnBudget();
    const queue = new JobQueue({ capacity: 20_000, capacityBytes: 1e9, budget });
    const pool = new WorkerPool(queue, NO_SINK, { count: 64, awaitConfirmation: false, budget });
    const job = new NotingSession().job(line);
    const sessions = Array.from({ length: 64 }, () => new NotingSession());
    pool.start();
    const turns: number[] = [];
    // The decoder is compiled first.
    for (let i = 0; i < 100; i++) new Worker(NO_SINK, budget).handle(job);
    let lines = 0;
    for (const endMs = performance.now() + 2000; performance.now() < endMs; ) {
      for (const session of sessions) {
        session.refused.length = 0;
        while ((session.lane?.jobs ?? 0) < 50 && queue.offer({ ...job, session })) lines++;
      }
      const cpu = process.cpuUsage();
      const beganMs = performance.now();
      await nextTurn();
      const wallMs = performance.now() - beganMs;
      const { user, system } = process.cpuUsage(cpu);
      // Neither is the time of this thread alone: CPU time has the garbage collector's threads in it, the clock has the time
      // without a core. Both are at least that time, so the smaller one is the closer.
      turns.push(Math.min((user + system) / 1000, wallMs));
    }
    const handled = lines - queue.stats.depth;
    const lineMs = turns.reduce((sum, ms) => sum + ms, 0) / handled;
    turns.sort((a, b) => a - b);
    // Both distortions may meet in one turn, so the longest turns say little.
    const p95 = turns[Math.floor(0.95 * turns.length)] ?? 0;
    t.diagnostic(
      `${(1000 * lineMs).toFixed(1)} us a line, turns of ${p95.toFixed(1)} ms p95, ${(turns.at(-1) ?? 0).toFixed(1)} ms at most`,
    );
    assert.ok(p95 <= 2 * TURN_BUDGET_MS + lineMs, `${p95} ms`);
    queue.close();
    await pool.finished();
  });
