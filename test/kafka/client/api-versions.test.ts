// The version that is chosen for each request, with brokers of several releases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiName, chooseVersion } from '../../../src/kafka/client/api-versions.ts';
import { ClusterError } from '../../../src/kafka/client/cluster-error.ts';
import { RELEASES } from './scripted-broker.ts';

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

test('the error of a broker without a common version names its versions, ours and what to do', () => {
  const refusal = (ranges: Readonly<Record<number, readonly [number, number]>>, text: RegExp) =>
    assert.throws(
      () => choose(ranges, 'Produce'),
      (error) => error instanceof ClusterError && error.code === 'UNSUPPORTED' && text.test(error.message),
    );
  refusal(
    { 0: [0, 2] },
    /10\.0\.0\.1:9092 speaks Produce in the versions 0 to 2; Sluice needs one of 3 to 7.*use/,
  );
  refusal({ 0: [8, 20] }, /speaks Produce in the versions 8 to 20/);
  refusal({}, /does not know the request Produce/);
});
