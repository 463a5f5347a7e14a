// The checks of the topics that plain lines may go to: their number, and names that other records have.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { crossProblems } from '../../src/config/checks.ts';
import { MAX_FURTHER_TOPICS } from '../../src/config/reading-topics.ts';
import type { Settings } from '../../src/config/settings.ts';
import { accepted } from './loading.ts';

function problems(lines: Partial<Settings>): readonly string[] {
  const field = (lines.TCP_LINES_TOPICS?.length ?? 0) > 0 ? 'topic' : null;
  const settings: Settings = { ...accepted({}).settings, TCP_LINES_TOPIC_FIELD: field, ...lines };
  return crossProblems(settings);
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `lines.${n}`);

it('plain lines may go to the topic of readings, and to no topic of other records', () => {
  const topics = (...names: string[]) => ({ TCP_LINES_PORT: 0, TCP_LINES_TOPICS: names });
  assert.deepEqual(problems(topics('weather.metrics.raw', 'syslog')), []);
  assert.match(
    problems(topics('syslog', 'weather.metrics.dead')).join(),
    /^topic "weather.metrics.dead" for plain lines is the topic of KAFKA_TOPIC_DEAD_LETTERS too/,
  );
  assert.match(problems(topics('weather.alarms')).join(), /KAFKA_TOPIC_ALARMS/);
  assert.equal(problems({ TCP_LINES_PORT: 0, TCP_LINES_TOPIC: 'weather.alarms' }).length, 1);
  assert.deepEqual(problems({ ...topics('weather.alarms'), TCP_LINES_PORT: null }), []);
});

it('sixteen topics beside that of the readings are allowed, not more', () => {
  const named = (count: number) => ({
    TCP_LINES_PORT: 0,
    TCP_LINES_TOPIC: 'weather.metrics.raw',
    TCP_LINES_TOPICS: numbered(count),
  });
  assert.deepEqual(problems(named(MAX_FURTHER_TOPICS)), []);
  assert.match(problems(named(MAX_FURTHER_TOPICS + 1)).join(), /name 17 topics .* at most 16$/);
});
