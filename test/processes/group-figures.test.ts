// The figures of all processes together, while processes crash.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupFigures } from '../../src/processes/group-figures.ts';
import type { ProcessGroup } from '../../src/processes/process-group.ts';
import { ConnectionLedger } from '../../src/server/connection-ledger.ts';
import { sampleSnapshot } from '../admin/sample-snapshot.ts';
import { testLog } from '../support/log.ts';

test('a process that crashes while figures are asked for counts once', async (t) => {
  const limits = { maxConnections: 10, maxPerAddress: 0, acceptsPerSecond: 0 };
  const ledger = new ConnectionLedger(limits, { order: () => {}, log: testLog({ level: 'silent' }) });
  const figures = new GroupFigures('1.0.0', ledger);
  t.after(() => figures.stop());
  const last = sampleSnapshot();
  const group = {
    configured: 1,
    running: 1,
    hung: [],
    snapshots: async () => {
      figures.crashed(last, true);
      return [{ name: '0', answers: true, snapshot: last }];
    },
  } as unknown as ProcessGroup;
  const { lines } = await figures.read(group);
  assert.equal(lines.received, last.lines.received);
});
