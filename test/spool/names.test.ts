// The names of a spool's folders and files.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type LogName, layoutName, logName, logsIn, parseLogName, planName } from '../../src/spool/names.ts';
import { temporaryDirectory } from './support.ts';

const LONGEST = 'x'.repeat(249);
const KINDS = ['partition', 'unplaced', 'gone'] as const;

const topics = ['a', 'weather.metrics.raw', 'a-1', 'a-b_c', 'process', 'process-1', 'letters', LONGEST];

describe("a log's name", () => {
  it('is parsed as it was built, for each topic and kind', () => {
    for (const topic of topics) {
      for (const kind of KINDS) {
        for (const number of kind === 'unplaced' ? [0] : [0, 1, 12, 9999]) {
          const log: LogName = { topic, kind, number };
          assert.deepEqual(parseLogName(logName(log)), log);
        }
      }
    }
  });

  it('has the long ending for a topic of usual length', () => {
    assert.equal(logName({ topic: 'a-b', kind: 'partition', number: 12 }), 'a-b-12');
    assert.equal(logName({ topic: 'a-b', kind: 'unplaced', number: 0 }), 'a-b~unplaced');
    assert.equal(logName({ topic: 'a-b', kind: 'gone', number: 3 }), 'a-b~gone-3');
    assert.equal(layoutName('a-b'), 'a-b.layout');
    assert.equal(planName('a-b'), 'a-b.placing');
  });

  it('fits into 255 bytes for the longest topic, and so do the topic’s files and their temporary names', () => {
    const names = KINDS.map((kind) => logName({ topic: LONGEST, kind, number: kind === 'gone' ? 9999 : 0 }));
    for (let length = 230; length <= 249; length++) {
      const topic = 'x'.repeat(length);
      names.push(`${layoutName(topic)}.new`, `${planName(topic)}.new`);
      for (const kind of KINDS) names.push(logName({ topic, kind, number: 0 }));
    }
    const tooLong = names.filter((name) => name.length > 255);
    assert.deepEqual(tooLong, []);
  });

  it('is of no other form', () => {
    const foreign = ['a-02', 'a-00', 'a-', '-1', 'a', 'a~gone-01', 'a~gone-', 'a~unplaced-1', 'a~1', 'a~g1'];
    const impossible = [
      '.-0',
      '..-0',
      'a b-0',
      'a-1000000',
      'a~b~unplaced',
      `${LONGEST}x-0`,
      'a-1.placing',
      'a~u',
    ];
    for (const name of [...foreign, ...impossible, 'process-1'])
      assert.equal(parseLogName(name), undefined, name);
  });
});

describe('the logs in a directory', () => {
  it('are found in the order of topic, kind and number, and nothing else is found', async (t) => {
    const directory = temporaryDirectory(t);
    const folders = [
      'a-10',
      'a-2',
      'a-02',
      'a~gone-1',
      'a~unplaced',
      'B-0',
      'process-3',
      'process~3',
      'dead-letters',
    ];
    for (const name of folders) mkdirSync(join(directory, name));
    writeFileSync(join(directory, 'a-3'), 'a file');
    const found = await logsIn(directory);
    assert.deepEqual(found.map(logName), ['B-0', 'a-2', 'a-10', 'a~unplaced', 'a~gone-1', 'process~3']);
  });
});
