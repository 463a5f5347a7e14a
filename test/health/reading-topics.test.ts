// Health and readiness if accepted readings go to several topics: a further topic counts as that of the readings does.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { TopicFigures } from '../../src/admin/kafka-figures.ts';
import type { Figures } from '../../src/admin/snapshot.ts';
import { takesAll, takesNone, topics } from '../../src/health/kafka-components.ts';
import { readinessOf } from '../../src/health/readiness.ts';
import { sampleFigures } from '../admin/sample-snapshot.ts';
import { READINGS_TOPIC } from '../support/health.ts';

const WELL = READINGS_TOPIC;
const LINES: TopicFigures = { ...WELL, topic: 'syslog', use: 'lines', partitions: 2 };

function figuresWith(...all: readonly TopicFigures[]): Figures {
  const base = sampleFigures();
  return { ...base, kafka: { ...base.kafka, trouble: null, topics: all } };
}

const MISSING = { cause: 'topic', reason: 'it is not there', isPartial: false } as const;

it('a further topic that Kafka does not take has a component of its own, and the readings topic stays ok', () => {
  const figures = figuresWith(WELL, { ...LINES, trouble: MISSING });
  const found = topics(figures).map(({ id, state, finding }) => [id, state, finding]);
  assert.deepEqual(found.slice(0, 2), [
    ['topic readings', 'ok', 'ok'],
    ['topic syslog', 'failed', 'unusable'],
  ]);
});

it('Kafka takes all only if it takes all of every topic of readings', () => {
  assert.equal(takesAll(figuresWith(WELL, LINES)), true);
  assert.equal(takesAll(figuresWith(WELL, { ...LINES, failing: 1 })), false);
  assert.equal(takesAll(figuresWith(WELL, { ...LINES, trouble: MISSING })), false);
  const letters: TopicFigures = { ...LINES, use: 'dead letters', trouble: MISSING };
  assert.equal(takesAll(figuresWith(WELL, letters)), true);
});

it('with HTTP_READY_REQUIRES=kafka a further topic that takes nothing is a reason not to be ready', () => {
  const ready = (figures: Figures) =>
    readinessOf(figures, topics(figures), { phase: 'serving', requires: 'kafka' }).reasons;
  assert.deepEqual(ready(figuresWith(WELL, LINES)), []);
  assert.deepEqual(ready(figuresWith(WELL, { ...LINES, failing: 1 })), []);
  assert.equal(takesNone(figuresWith(WELL, { ...LINES, failing: 2 })), true);
  assert.deepEqual(ready(figuresWith(WELL, { ...LINES, trouble: MISSING })), [
    'topic syslog: it is not there',
  ]);
});
