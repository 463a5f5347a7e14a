// The table of error codes: names, remedies and classes. test/kafka/java compares it with the Java client.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KAFKA_ERRORS, kafkaError, type Outcome } from '../../../src/kafka/wire/errors.ts';

test('no two codes have the same name', () => {
  const names = [...KAFKA_ERRORS.values()].map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});

test('every code of class topic has a remedy, and each remedy is one sentence', () => {
  for (const { name, outcome, remedy } of KAFKA_ERRORS.values()) {
    if (outcome === 'topic') assert.ok(remedy, name);
    if (remedy === undefined) continue;
    assert.match(remedy, /^[a-z].{10,}[^.]$/, name);
    assert.doesNotMatch(remedy, /\. |\n/, name);
  }
});

const CHOSEN: readonly (readonly [outcome: Outcome, names: readonly string[]])[] = [
  ['stored', ['NONE', 'DUPLICATE_SEQUENCE_NUMBER']],
  ['leader', ['UNKNOWN_TOPIC_OR_PARTITION', 'NOT_LEADER_OR_FOLLOWER', 'FENCED_LEADER_EPOCH']],
  ['retry', ['UNKNOWN_SERVER_ERROR', 'NOT_ENOUGH_REPLICAS', 'REQUEST_TIMED_OUT', 'OFFSET_OUT_OF_RANGE']],
  ['sequence', ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH']],
  ['record', ['INVALID_TIMESTAMP', 'INVALID_RECORD']],
  ['too-large', ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']],
  [
    'topic',
    [
      'TOPIC_AUTHORIZATION_FAILED',
      'CLUSTER_AUTHORIZATION_FAILED',
      'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
      'SASL_AUTHENTICATION_FAILED',
      'POLICY_VIOLATION',
      'UNSUPPORTED_COMPRESSION_TYPE',
      'UNSUPPORTED_FOR_MESSAGE_FORMAT',
      'UNSUPPORTED_VERSION',
      'INVALID_REQUIRED_ACKS',
      'INVALID_TOPIC_EXCEPTION',
    ],
  ],
];

for (const [outcome, names] of CHOSEN) {
  test(`${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} of class ${outcome}`, () => {
    for (const name of names) {
      const found = [...KAFKA_ERRORS.values()].find((error) => error.name === name);
      assert.equal(found?.outcome, outcome, name);
    }
  });
}

test('an unknown code is of class retry and named by its number', () => {
  for (const code of [134, 999, 32_767, -2]) {
    const { name, outcome, remedy } = kafkaError(code);
    assert.equal(outcome, 'retry');
    assert.match(name, new RegExp(String(code)));
    assert.equal(remedy, undefined);
  }
});
