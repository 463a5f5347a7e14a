// The version that is chosen for each request, with brokers of several releases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiName, checkVersions, chooseVersion } from '../../../src/kafka/client/api-versions.ts';
import { ClusterError } from '../../../src/kafka/client/cluster-error.ts';
import { OLD_RELEASES, RELEASES } from './scripted-broker.ts';

const versions = (ranges: Readonly<Record<number, readonly [number, number]>>) =>
  Object.fromEntries(
    Object.entries(ranges).map(([key, [minVersion, maxVersion]]) => [key, { minVersion, maxVersion }]),
  );
const choose = (ranges: Readonly<Record<number, readonly [number, number]>>, api: ApiName) =>
  chooseVersion(versions(ranges), api, '10.0.0.1:9092');

for (const [release, ranges] of Object.entries(RELEASES)) {
  test(`with Kafka ${release} every request gets the newest version that both sides support`, () => {
    const chosen = (
      ['Produce', 'Metadata', 'CreateTopics', 'InitProducerId', 'DescribeConfigs'] as const
    ).map((api) => choose(ranges, api));
    assert.deepEqual(chosen, [7, 6, 3, 1, 2]);
  });
}

test('an older broker gets its newest version of Produce, down to the first with record batches of magic 2', () => {
  assert.equal(choose({ 0: [0, 5] }, 'Produce'), 5);
  assert.equal(choose({ 0: [0, 3] }, 'Produce'), 3);
  assert.equal(choose({ 0: [7, 20] }, 'Produce'), 7);
});

test('Kafka 0.11, the oldest, gets versions of every request that delivery needs', () => {
  const ranges = OLD_RELEASES['0.11'];
  const chosen = (['Produce', 'Metadata', 'CreateTopics', 'InitProducerId', 'DescribeConfigs'] as const).map(
    (api) => choose(ranges, api),
  );
  assert.deepEqual(chosen, [3, 4, 2, 0, 0]);
});

const refused = (ranges: Readonly<Record<number, readonly [number, number]>>, text: RegExp) =>
  assert.throws(
    () => checkVersions(versions(ranges), '10.0.0.1:9092'),
    (error) => error instanceof ClusterError && error.code === 'UNSUPPORTED' && text.test(error.message),
  );

test('the error of a broker that is too old names each request that it lacks, its versions and ours, and the oldest Kafka', () => {
  refused(
    OLD_RELEASES['0.10.2'],
    /^the broker 10\.0\.0\.1:9092 is too old: it speaks Metadata in the versions 0 to 2 \(Sluice: 4 to 6\), it speaks Produce in the versions 0 to 2 \(Sluice: 3 to 7\), it does not know the request InitProducerId \(Sluice: 0 to 1\); use Apache Kafka 0\.11 or later/,
  );
});

test('the error of a broker that is too new says so, and one that lacks a request names it', () => {
  const { 0: _, ...others } = RELEASES['4.1'];
  refused(
    { ...others, 0: [8, 20] },
    /is too new: it speaks Produce in the versions 8 to 20 \(Sluice: 3 to 7\); use a newer Sluice$/,
  );
  refused(others, /lacks a request: it does not know the request Produce \(Sluice: 3 to 7\); use Apache/);
  assert.throws(() => choose(others, 'DescribeQuorum'), /does not know the request DescribeQuorum/);
});
