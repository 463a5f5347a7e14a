// The page about versions of Kafka: every version that can be started has results, and the tables say what they mean.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { JOBS } from '../../scripts/compatibility/jobs.ts';
import { readResults, type VersionResult } from '../../scripts/compatibility/results.ts';
import { compatibilitySection, jobsTable } from '../../scripts/docs/compatibility.ts';
import { KAFKA_VERSIONS, USUAL } from '../../scripts/kafka/version.ts';

const GOOD = { passed: 3, failed: 0, skipped: 1, seconds: 20, isGood: true };
const KNOWN = { Produce: 7, CreateTopics: 3, Rights: 8, DescribeQuorum: 1 };
const RESULT: VersionResult = {
  at: '2026-11-29',
  node: '24.0.0',
  hasZooKeeper: false,
  hasDefaultReplicas: true,
  jobs: { 'main job': GOOD, outage: { ...GOOD, passed: 2, failed: 1, isGood: false } },
  requests: KNOWN,
};

const rowOf = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(`| ${name}`));

describe('the results of npm run compatibility', () => {
  it('are there for every version but that of npm test, and each of its jobs was good', () => {
    const results = readResults();
    const expected = KAFKA_VERSIONS.filter((version) => version !== USUAL);
    for (const version of expected) {
      const jobs = results[version.name]?.jobs ?? {};
      assert.deepEqual(
        Object.keys(jobs),
        JOBS.filter((job) => job.isFor(version)).map(({ name }) => name),
        version.name,
      );
      for (const [name, { isGood }] of Object.entries(jobs)) assert.ok(isGood, `${version.name}: ${name}`);
    }
    assert.deepEqual(Object.keys(results).sort(), expected.map(({ name }) => name).sort());
  });
});

describe('the tables about versions of Kafka', () => {
  it('have the newest version first, failures in capitals, and a dash for a job that was not run', () => {
    const old = { ...RESULT, hasZooKeeper: true, jobs: { 'main job': GOOD } };
    const table = jobsTable({ '0.11.0.3': old, '3.9.2': RESULT, '3.10.0': RESULT });
    const [, , first, second, third] = table.split('\n');
    assert.match(first ?? '', /^\| 3\.10\.0 \| ok \(3 tests, 20 s\) \| FAILED: 1 of 3 \(20 s\) \|/);
    assert.match(second ?? '', /^\| 3\.9\.2 \|/);
    assert.match(
      third ?? '',
      /^\| 0\.11\.0\.3 with ZooKeeper \| ok .* \| - \| 2026-11-29, Node 24\.0\.0 \|$/,
    );
  });

  it('say what a version lacks by its requests', () => {
    const lacking: VersionResult = {
      ...RESULT,
      hasDefaultReplicas: false,
      requests: { ...KNOWN, Produce: 3, Rights: null },
    };
    const refused: VersionResult = { ...lacking, requests: { ...KNOWN, Produce: null } };
    const text = compatibilitySection({ '4.4.0': RESULT, '1.1.1': lacking, '0.10.2.2': refused });
    assert.ok(rowOf(text, '4.4.0').some((row) => row.endsWith('| nothing that Sluice uses |')));
    const [, lacks = ''] = rowOf(text, '1.1.1');
    assert.match(lacks, /quotas that announce.*zstd.*KAFKA_REPLICATION_FACTOR.*rights of a login/);
    assert.doesNotMatch(lacks, /refused|clock/);
    assert.ok(
      rowOf(text, '0.10.2.2').some((row) => /record batches that Sluice writes: it is refused \|$/.test(row)),
    );
    assert.ok(text.includes('| `Rights` | 8 | none | 8 |'));
  });
});
