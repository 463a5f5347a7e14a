// Reading a topic's limits out of its settings, for brokers before and after Kafka 3.6.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicLimits } from '../../../src/kafka/client/topic-limits.ts';
import { limitWarnings } from '../../../src/kafka/topics/topic-warnings.ts';

const NO_LIMIT = '9223372036854775807';
const limits = (entries: Readonly<Record<string, string | null>>) =>
  topicLimits(Object.entries(entries).map(([configName, configValue]) => ({ configName, configValue })));

test('limits are found by their names, in any order', () => {
  const expected = {
    maxMessageBytes: 2000,
    timestampType: 'LogAppendTime',
    timestampBeforeMaxMs: 3000,
    timestampAfterMaxMs: 4000,
    hasOneTimestampLimit: false,
    cleanupPolicy: 'compact,delete',
    minInsyncReplicas: undefined,
  };
  const entries = [
    ['retention.ms', '1'],
    ['message.timestamp.after.max.ms', '4000'],
    ['cleanup.policy', 'compact,delete'],
    ['max.message.bytes', '2000'],
    ['message.timestamp.type', 'LogAppendTime'],
    ['message.timestamp.before.max.ms', '3000'],
  ];
  assert.deepEqual(limits(Object.fromEntries(entries)), expected);
  assert.deepEqual(limits(Object.fromEntries(entries.toReversed())), expected);
});

test('the largest 64-bit number, a missing value and a hidden one mean no limit', () => {
  const unlimited = limits({
    'message.timestamp.before.max.ms': NO_LIMIT,
    'message.timestamp.after.max.ms': '',
    'max.message.bytes': null,
  });
  assert.deepEqual(unlimited, {
    maxMessageBytes: undefined,
    timestampType: undefined,
    timestampBeforeMaxMs: undefined,
    timestampAfterMaxMs: undefined,
    hasOneTimestampLimit: false,
    cleanupPolicy: undefined,
    minInsyncReplicas: undefined,
  });
});

test('before Kafka 3.6 one setting limits timestamps in both directions', () => {
  const old = limits({ 'message.timestamp.difference.max.ms': '5000' });
  assert.deepEqual([old.timestampBeforeMaxMs, old.timestampAfterMaxMs], [5000, 5000]);
  const [warning] = limitWarnings(
    'readings',
    { ...old, timestampAfterMaxMs: undefined },
    { timestamp: 'received', oldestWaitingMs: undefined, nowMs: Date.now() },
  );
  assert.match(warning ?? '', /raise message\.timestamp\.difference\.max\.ms/);
  const both = limits({
    'message.timestamp.difference.max.ms': '5000',
    'message.timestamp.before.max.ms': NO_LIMIT,
    'message.timestamp.after.max.ms': '7000',
  });
  assert.deepEqual([both.timestampBeforeMaxMs, both.timestampAfterMaxMs], [5000, 7000]);
});
