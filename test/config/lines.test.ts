// Settings of plain lines that do nothing without their port.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { accepted } from './loading.ts';

const ALL = {
  TCP_LINES_KEY: 'host',
  TCP_LINES_TOPIC: 'logs',
  TCP_LINES_TOPIC_FIELD: 'kind',
  TCP_LINES_TOPICS: 'audit',
  TCP_LINES_WRAP: 'true',
  TCP_LINES_FRAMING: 'octet-counted',
};

it('each setting of plain lines that has no effect without the port gives a warning', () => {
  const warned = (env: Record<string, string>) =>
    accepted(env).warnings.flatMap((text) => /^(\w+) has no effect/.exec(text)?.[1] ?? []);
  const { TCP_LINES_TOPICS: _, ...named } = ALL;
  assert.deepEqual(warned(ALL).sort(), Object.keys(named).sort());
  assert.deepEqual(warned({ ...ALL, TCP_LINES_PORT: '0' }), []);
  assert.deepEqual(warned({}), []);
});
