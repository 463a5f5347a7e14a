import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyFigures } from '../../src/admin/figures.ts';
import { MAX_OTHER_TOPICS, type OtherTopic } from '../../src/admin/other-topics.ts';
import type { Figures } from '../../src/admin/snapshot.ts';
import { retired, sumOf } from '../../src/processes/sum.ts';
import { sampleFigures } from '../admin/sample-snapshot.ts';

function imbalance({ records }: Figures): number {
  const { accepted, recovered, ...rest } = records;
  return accepted + recovered - Object.values(rest).reduce((sum, count) => sum + count, 0);
}

test('a crashed process that had counted nothing changes no figure', () => {
  const one = sampleFigures({
    uptimeSeconds: 200,
    spool: { ...emptyFigures().spool, trouble: 'disk full' },
  });
  assert.deepEqual(sumOf([one]), one);
  assert.deepEqual(sumOf([one, retired(sampleFigures(emptyFigures()))]), one);
});

test('figures of all processes are added up; of some the worst counts, and of reasons the first', () => {
  const one = sampleFigures();
  const two = sampleFigures({
    kafka: { ...one.kafka, connected: false, oldestUnconfirmedSeconds: 2, lastError: 'NOT_LEADER' },
    process: { ...one.process, eventLoopLagP99Seconds: 0.5 },
  });
  const sum = sumOf([one, two]);
  assert.equal(sum.records.accepted, 2 * one.records.accepted);
  assert.equal(sum.lines.refused.invalid_json, 2 * one.lines.refused.invalid_json);
  assert.equal(sum.process.residentBytes, 2 * one.process.residentBytes);
  assert.equal(sum.process.eventLoopLagP99Seconds, 0.5);
  assert.deepEqual([sum.kafka.partitions, sum.kafka.connected], [6, false]);
  assert.deepEqual([sum.kafka.oldestUnconfirmedSeconds, sum.kafka.lastError], [2, 'NOT_LEADER']);
  assert.equal(imbalance(sum), 2 * imbalance(one));
});

test('a problem of several processes is listed once; held partitions and throttling are added up', () => {
  const one = sampleFigures();
  const held = (problems: readonly string[], heldPartitions: number) =>
    sampleFigures({ kafka: { ...one.kafka, problems, heldPartitions } });
  const { kafka } = sumOf([held(['no rights'], 2), held(['no rights', 'wrong clock'], 3), one]);
  assert.deepEqual(kafka.problems, ['no rights', 'wrong clock']);
  assert.equal(kafka.heldPartitions, 5);
  assert.equal(kafka.throttledSeconds, 3 * one.kafka.throttledSeconds);
  const many = Array.from({ length: 8 }, (_, i) => [held([`a${i}`], 0), held([`b${i}`], 0)]).flat();
  assert.equal(sumOf([one, ...many]).kafka.problems.length, 10);
  const { kafka: left } = retired(held(['no rights'], 2));
  assert.deepEqual([left.problems, left.heldPartitions, left.throttledSeconds], [[], 0, 1.5]);
});

test('a topic that several processes have on disk is listed once, with all records and the first reason', () => {
  const { spool } = sampleFigures();
  const having = (...otherTopics: OtherTopic[]) => {
    const otherRecords = otherTopics.reduce((total, { records }) => total + records, 0);
    return sampleFigures({ spool: { ...spool, otherRecords, otherTopics } });
  };
  const entry = (topic: string, records: number, problem: string | null = null) => {
    return { topic, records, bytes: 100 * records, problem };
  };
  const sum = sumOf([having(entry('a', 2), entry('b', 3, 'no rights')), having(entry('a', 5, 'no leader'))]);
  assert.equal(sum.spool.otherRecords, 10);
  assert.deepEqual(sum.spool.otherTopics, [entry('a', 7, 'no leader'), entry('b', 3, 'no rights')]);
  const many = Array.from({ length: MAX_OTHER_TOPICS + 5 }, (_, n) => entry(`t${n}`, n));
  const { otherTopics } = sumOf([having(...many), having()]).spool;
  assert.equal(otherTopics.length, MAX_OTHER_TOPICS);
  assert.equal(otherTopics[0]?.records, MAX_OTHER_TOPICS + 4);
  const left = retired(having(entry('a', 2))).spool;
  assert.deepEqual([left.otherRecords, left.otherTopics], [0, []]);
});

test('the figures of a crashed process keep every total and the balance, and hold nothing', () => {
  const last = sampleFigures();
  const { records, lines, connections, kafka } = retired(last);
  assert.deepEqual([records.open, records.inFlight, records.spooled], [0, 0, 0]);
  assert.equal(records.abandoned, last.records.open + last.records.inFlight + last.records.spooled);
  assert.deepEqual([records.accepted, records.confirmed], [last.records.accepted, last.records.confirmed]);
  assert.equal(imbalance(retired(last)), imbalance(last));
  assert.equal(lines.received, lines.accepted + lines.refusedLines + lines.waiting);
  assert.deepEqual([connections.active, kafka.bufferBytes], [0, 0]);
});
