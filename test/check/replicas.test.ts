// The findings about replicas, in each case that one broker cannot show; and a broker that is too old to tell rights.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inSyncFindings } from '../../src/check/kafka/limits.ts';
import { testSettings } from '../support/gateway.ts';
import { silentBroker } from '../support/silent-broker.ts';
import { check } from './checking.ts';

interface Case {
  readonly replicas: number;
  readonly inSync?: number;
  readonly min: number | undefined;
  readonly acks?: string;
}

function finding({ replicas, inSync = replicas, min, acks = 'all' }: Case): string {
  const partition = {
    partitionErrorCode: 0,
    partitionId: 0,
    leader: 1,
    replicas: Array.from({ length: replicas }, (_, id) => id),
    isr: Array.from({ length: inSync }, (_, id) => id),
  };
  const settings = testSettings({ KAFKA_REQUIRED_ACKS: acks });
  const topic = { topicErrorCode: 0, topic: 't', partitionMetadata: [partition] };
  const [found, ...others] = inSyncFindings('t', topic, { settings, minInsync: min });
  assert.deepEqual(others, []);
  return `${found?.level} ${found?.name}`;
}

describe('replicas against min.insync.replicas and acks', () => {
  const cases: readonly (readonly [string, Case])[] = [
    ['ok replicas_enough', { replicas: 3, min: 2 }],
    ['warning min_insync_one', { replicas: 3, min: 1 }],
    ['ok replicas_enough', { replicas: 3, min: 1, acks: '1' }],
    ['warning min_insync_all', { replicas: 3, min: 3 }],
    ['error replicas_not_in_sync', { replicas: 3, inSync: 1, min: 2 }],
    ['ok replicas_enough', { replicas: 3, inSync: 1, min: 2, acks: '0' }],
    ['ok replicas_enough', { replicas: 3, inSync: 2, min: 2 }],
    ['error replicas_not_in_sync', { replicas: 1, min: 2 }],
    ['note replicas_one', { replicas: 1, min: 1 }],
    ['ok replicas_enough', { replicas: 3, min: undefined }],
  ];
  for (const [expected, given] of cases)
    it(`are ${expected} for ${JSON.stringify(given)}`, () => assert.equal(finding(given), expected));
});

describe('a broker before Kafka 2.3', () => {
  it('does not tell the rights of the login and the clock, and the check says so', async (t) => {
    const { bootstrap, produceRequests } = await silentBroker(t, { partitions: 10 });
    const found = await check(t, { KAFKA_BROKERS: bootstrap });
    found.expect(
      'note',
      'write_right_unknown',
      /weather\.metrics\.raw: whether the login may write is not known/,
    );
    found.expect('note', 'kafka_clock_unknown', /not known/);
    found.expect('ok', 'topic_there', /weather\.metrics\.raw has 10 partitions/);
    assert.deepEqual(found.names('error'), []);
    assert.equal(produceRequests, 0);
  });

  it('does not take zstd', { skip: Number.parseInt(process.versions.node, 10) < 23 }, async (t) => {
    const { bootstrap } = await silentBroker(t, { partitions: 1, maxProduce: 6 });
    const found = await check(t, { KAFKA_BROKERS: bootstrap, KAFKA_COMPRESSION: 'zstd' });
    found.expect('error', 'codec_refused', /Produce up to version 6/);
    const newer = await silentBroker(t, { partitions: 1 });
    (await check(t, { KAFKA_BROKERS: newer.bootstrap, KAFKA_COMPRESSION: 'zstd' })).expect(
      'ok',
      'codec_usable',
      /zstd/,
    );
  });

  it('is no reason for an old Node to have zstd', {
    skip: Number.parseInt(process.versions.node, 10) >= 22,
  }, async (t) => {
    const found = await check(t, { KAFKA_COMPRESSION: 'zstd' });
    found.expect('error', 'codec_missing', /needs Node 22\.15 or later/);
  });
});
