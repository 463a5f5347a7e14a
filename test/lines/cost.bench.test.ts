// The CPU time of a plain line beside that of a metrics line of the same length, from the framer to the open batch.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Batcher } from '../../src/kafka/batches/batcher.ts';
import { BufferBudget } from '../../src/kafka/batches/buffer-budget.ts';
import { PlainLines } from '../../src/protocol/plain-lines.ts';
import { TurnBudget } from '../../src/queue/turn-budget.ts';
import type { Framer } from '../../src/server/framer.ts';
import { LineFramer } from '../../src/server/line-framer.ts';
import { Worker } from '../../src/workers/worker.ts';
import { CONNECTION_ID, NotingSession } from '../support/session.ts';

/** The limit. */
const MOST = 1.2;
const LINES = 100_000;
const RUNS = 15;
const CHUNK_LINES = 300;

const READING =
  '"timestamp":"2026-11-21T08:00:00.123Z","temperature":21.5,"humidity":60.25,"pressure":1013.2,"wind_speed":3.4,"wind_direction":270,"station":"roof-2"';
const METRICS = `{"type":"metrics","data":{${READING}}}\n`;
const PLAIN = `{"host":"box-7","level":"info",${READING}}\n`;

class SenderSession extends NotingSession {
  readonly plain: PlainLines;

  constructor(keyField: string | null) {
    super();
    this.plain = new PlainLines({ framing: 'lf', isWrapped: false, keyField, topicField: null });
    this.frame = this.plain.frameOf(CONNECTION_ID, '192.0.2.7');
  }
}

/** A function that handles LINES lines, and returns the nanoseconds of a line. */
function course(t: TestContext, line: string, session: NotingSession): () => number {
  const batcher: Batcher = new Batcher(
    { maxRecords: 1000, maxBytes: 2 ** 20, lingerMs: 3_600_000, maxMessageBytes: 2 ** 20 },
    {
      budget: new BufferBudget(Number.MAX_SAFE_INTEGER, 0),
      sink: { isBusy: () => false, growth: () => 1, compressionRatio: 1, deliver: () => {} },
    },
  );
  batcher.setPartitions(6);
  t.after(() => batcher.stop());
  const worker = new Worker(batcher, new TurnBudget());
  const framer: Framer = new LineFramer(65_536);
  const chunk = Buffer.from(line.repeat(CHUNK_LINES));
  return () => {
    const before = process.cpuUsage();
    for (let lines = 0; lines < LINES; lines += CHUNK_LINES) {
      framer.push(chunk);
      while (framer.next() === 'line') {
        const { bytes, start, end } = framer;
        worker.handle({ session, bytes, start, end, receivedAtMs: 1, next: undefined });
      }
    }
    batcher.flush();
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / LINES;
  };
}

test(`a plain line costs at most ${MOST} times the CPU of a metrics line`, (t) => {
  assert.ok(Math.abs(METRICS.length - PLAIN.length) < 8);
  const courses = {
    metrics: course(t, METRICS, new NotingSession()),
    plain: course(t, PLAIN, new SenderSession(null)),
    keyed: course(t, PLAIN, new SenderSession('host')),
  };
  const best = { metrics: Infinity, plain: Infinity, keyed: Infinity };
  // In turns: other programs disturb all of them alike.
  for (let run = 0; run < RUNS; run++)
    for (const name of ['metrics', 'plain', 'keyed'] as const)
      best[name] = Math.min(best[name], courses[name]());
  t.diagnostic(`ns a line: ${JSON.stringify(best)}`);
  assert.ok(best.plain <= MOST * best.metrics, JSON.stringify(best));
});
