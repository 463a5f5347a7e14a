import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { formatStats, startStatsLog } from '../../src/admin/stats-line.ts';
import { countsByCode } from '../../src/protocol/codes.ts';
import { testLog } from '../support/log.ts';
import { sampleSnapshot } from './sample-snapshot.ts';

function later(seconds: number, lines: number, records: number): Snapshot {
  const base = sampleSnapshot();
  return sampleSnapshot({
    uptimeSeconds: base.uptimeSeconds + seconds,
    lines: { ...base.lines, received: base.lines.received + lines, accepted: base.lines.accepted + lines },
    records: {
      ...base.records,
      accepted: base.records.accepted + records,
      confirmed: base.records.confirmed + records,
    },
  });
}

test('the line has every figure that an operator greps for', () => {
  const { summary } = formatStats(later(10, 15_200, 30_400), sampleSnapshot());
  assert.equal(
    summary,
    'Statistics: connections=12/10000 zipcodes=9 timers=24 queue=7/2000 messages/s=1520.0 records/s=3040.0 ' +
      'accepted=31390 confirmed=31329 open=10 in_flight=20 spooled=30 dead_lettered=1 ' +
      'refused=7 (invalid_json=2 queue_full=1 identify_timeout=4)',
  );
});

test('rates are since the previous snapshot, or since the start if there is none', () => {
  assert.equal(formatStats(later(30, 45, 90), sampleSnapshot()).fields.messages_per_second, 1.5);
  assert.equal(formatStats(later(30, 45, 90), sampleSnapshot()).fields.records_per_second, 3);
  assert.equal(formatStats(sampleSnapshot(), null).fields.messages_per_second, 10.1);
});

test('no time between snapshots or a total that fell gives a rate of 0', () => {
  for (const [now, previous] of [
    [later(0, 500, 500), sampleSnapshot()],
    [sampleSnapshot({ uptimeSeconds: 130 }), later(0, 500, 500)],
    [sampleSnapshot({ uptimeSeconds: 0 }), null],
  ] as const) {
    const { fields } = formatStats(now, previous);
    assert.equal(fields.messages_per_second, 0);
    assert.equal(fields.records_per_second, 0);
  }
});

test('codes that did not occur are left out', () => {
  const { lines } = sampleSnapshot();
  const quiet = formatStats(sampleSnapshot({ lines: { ...lines, refused: countsByCode() } }), null);
  assert.match(quiet.summary, / refused=0$/);
  assert.deepEqual(quiet.fields.refused_by_code, {});
});

test('records that are missing in the balance are shown', () => {
  const { records } = sampleSnapshot();
  const off = formatStats(
    sampleSnapshot({ records: { ...records, confirmed: records.confirmed - 2 } }),
    null,
  );
  assert.match(off.summary, / unaccounted=2 refused=/);
  assert.doesNotMatch(formatStats(sampleSnapshot(), null).summary, /unaccounted/);
});

test('each interval logs a line with the rates of that interval, until stop()', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { log, entries } = recorder();
  const snapshots = [sampleSnapshot(), later(30, 300, 300), later(60, 900, 900), later(90, 900, 900)];
  let taken = 0;
  const stats = startStatsLog({
    intervalMs: 30_000,
    snapshot: () => snapshots[taken++] ?? sampleSnapshot(),
    log,
  });
  const tick = async (ms: number) => {
    t.mock.timers.tick(ms);
    await nextTurn();
  };
  await tick(29_999);
  assert.equal(entries().length, 0);
  await tick(1);
  await tick(30_000);
  assert.deepEqual(
    entries().map((entry) => (entry.stats as Record<string, unknown>).messages_per_second),
    [10, 20],
  );
  assert.match(String(entries()[0]?.msg), /^Statistics: connections=12/);
  stats.stop();
  await tick(60_000);
  assert.equal(entries().length, 2);
});

test('an interval of 0 logs nothing and takes no snapshot', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { log } = recorder();
  const stats = startStatsLog({ intervalMs: 0, snapshot: () => assert.fail('taken'), log });
  t.mock.timers.tick(1000);
  stats.stop();
});

function recorder() {
  const lines: string[] = [];
  const log = testLog({}, { write: (line: string) => void lines.push(line) });
  return { log, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
