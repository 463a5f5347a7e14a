// The figures of all processes together, while processes crash.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { GroupFigures } from '../../src/processes/group-figures.ts';
import type { ProcessGroup } from '../../src/processes/process-group.ts';
import { ConnectionLedger } from '../../src/server/connection-ledger.ts';
import { sampleSnapshot } from '../admin/sample-snapshot.ts';

test('a process that crashes while figures are asked for counts once', async (t) => {
  const limits = { maxConnections: 10, maxPerAddress: 0, acceptsPerSecond: 0 };
  const ledger = new ConnectionLedger(limits, { order: () => {}, log: pino({ level: 'silent' }) });
  const figures = new GroupFigures('1.0.0', ledger);
  t.after(() => figures.stop());
  const last = sampleSnapshot();
  const group = {
    configured: 1,
    running: 1,
    degraded: [],
    snapshots: async () => {
      figures.crashed(last, true);
      return [last];
    },
  } as unknown as ProcessGroup;
  const { lines } = await figures.snapshot(group, { stopping: false });
  assert.equal(lines.received, last.lines.received);
});
