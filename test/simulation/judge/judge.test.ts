// Each rule of the judge is broken once, by a ledger and logs in which everything else holds.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32 } from '@node-rs/crc32';
import type { Excuse, LogRecord, Rule, SentMessage } from '../../../simulation/judge/facts.ts';
import { type JudgedHistory, judge } from '../../../simulation/judge/judge.ts';

const RECEIVED_MS = Date.UTC(2026, 10, 21, 11, 33, 11, 494);

const IDENTITY = { zipcode: '90210', city: 'B', deviceId: undefined };

const reading = (number: number, { device = 'd1', index = 0, temperature = 21 } = {}) =>
  `{"d":"${device}","m":${number},"i":${index},"t":${temperature}}`;

const sent = (
  number: number,
  more: Partial<SentMessage> & { readings?: readonly string[] } = {},
): SentMessage => {
  const { readings = [reading(number)], ...rest } = more;
  return {
    device: 'd1',
    number,
    seq: number,
    identity: IDENTITY,
    checksums: readings.map((text) => crc32(text)),
    state: 'stored',
    connections: ['c1'],
    sentUnheard: false,
    ...rest,
  };
};

const record = (
  number: number,
  more: { data?: string; connection?: string; key?: string } = {},
): LogRecord => {
  const { data = reading(number), connection = 'c1', key = '90210' } = more;
  const value = `{"connection_id":"${connection}","zipcode":"90210","city":"B","received_at":"2026-11-21T11:33:11.494Z","seq":${number},"data":${data}}`;
  return { offset: number, timestampMs: RECEIVED_MS, key, value, headers: [], batch: number };
};

const history = (
  messages: readonly SentMessage[],
  partitions: readonly (readonly LogRecord[])[],
  more: Partial<JudgedHistory> = {},
): JudgedHistory => ({
  messages,
  logs: [{ topic: 't', partitions }],
  letters: [],
  excuses: new Set(),
  mayMiss: 0,
  hasTimeOfReception: true,
  partitionOf: () => 0,
  partitionCounts: [2],
  ...more,
});

const lettersOf = (letter: LogRecord) => [{ topic: 'dead', partitions: [[letter]] }];
const rules = (judged: JudgedHistory): Rule[] => judge(judged).findings.map(({ rule }) => rule);
const excused = (excuse: Excuse): Partial<JudgedHistory> => ({ excuses: new Set([excuse]) });

it('finds nothing in a history in which everything holds', () => {
  const several = sent(2, { readings: [reading(2), reading(2, { index: 1 })] });
  const records = [record(1), record(2), record(2, { data: reading(2, { index: 1 }) })];
  const { findings, ...counts } = judge(history([sent(1), several, sent(3, { state: 'open' })], [records]));
  assert.deepEqual(findings, []);
  assert.deepEqual(counts, {
    issued: 4,
    stored: 3,
    delivered: 3,
    missing: 0,
    missingBy: {},
    doubled: 0,
    doubledBy: {},
    outOfOrder: 0,
    resent: 0,
  });
});

describe('a reading that was stored', () => {
  it('must be in a log', () => {
    assert.deepEqual(rules(history([sent(1), sent(2)], [[record(1)]])), ['confirmed and missing']);
  });

  it('may be in the log of a deleted topic', () => {
    const logs = [
      { topic: 't', partitions: [[record(1)]] },
      { topic: 't', partitions: [[record(2)]] },
    ];
    assert.deepEqual(rules(history([sent(1), sent(2)], [], { logs })), []);
  });

  it('may be missing if as many records were counted as damaged or left on the disk', () => {
    assert.deepEqual(rules(history([sent(1), sent(2)], [[record(1)]], { mayMiss: 1 })), []);
    assert.deepEqual(rules(history([sent(1), sent(2)], [[]], { mayMiss: 1 })), ['confirmed and missing']);
  });

  it('may be missing after a power cut if the spool is not synced', () => {
    const { findings, missing, missingBy } = judge(history([sent(1)], [[]], excused('unsynced-power-cut')));
    assert.deepEqual([findings, missing, missingBy], [[], 1, { 'unsynced-power-cut': 1 }]);
  });
});

describe('a copy', () => {
  it('is found within a partition and in a later log', () => {
    assert.deepEqual(rules(history([sent(1)], [[record(1), record(1)]])), ['twice']);
    const logs = [1, 2].map(() => ({ topic: 't', partitions: [[record(1)]] }));
    assert.deepEqual(rules(history([sent(1)], [], { logs })), ['twice']);
  });

  it('is allowed by the exceptions that the guarantees name', () => {
    assert.deepEqual(rules(history([sent(1)], [[record(1), record(1)]], excused('producer-forgotten'))), []);
  });

  it('that the device sent over another connection is counted, and allowed', () => {
    const message = sent(1, { connections: ['c1', 'c2'] });
    const judged = history([message], [[record(1), record(1, { connection: 'c2' })]]);
    const { resent, doubled, findings } = judge(judged);
    assert.deepEqual([resent, doubled, findings], [1, 0, []]);
  });
});

it('a device that was told what is stored may not write a reading again over its next connection', () => {
  const logs = [[record(1), record(1, { connection: 'c2' })]];
  const messages = [sent(1, { connections: ['c1', 'c2'] })];
  const of = (...lineages: string[]) => ({
    lineages: new Map(lineages.map((lineage, n) => [`c${n + 1}`, lineage])),
  });
  assert.deepEqual(rules(history(messages, logs, of('d1 1', 'd1 1'))), ['twice']);
  assert.deepEqual(rules(history(messages, logs, of('d1 1', 'd1 2'))), []);
});

it('a record has the key of the setting and the tags of its device', () => {
  const tagged = { ...record(1, { key: 'north' }) };
  const value = tagged.value.replace(',"seq"', ',"tags":{"site":"north"},"seq"');
  const judged = (recordKey: string, tags: string) =>
    rules(history([sent(1, { identity: { ...IDENTITY, tags } })], [[{ ...tagged, value }]], { recordKey }));
  assert.deepEqual(judged('tags.site', '{"site":"north"}'), []);
  assert.deepEqual(judged('tags.site', '{"site":"south"}'), ['the wrong device']);
  assert.deepEqual(judged('device_id', '{"site":"north"}'), ['wrong partition']);
});

describe('the order of a connection', () => {
  it('holds within a partition', () => {
    assert.deepEqual(rules(history([sent(1), sent(2)], [[record(2), record(1)]])), ['out of order']);
  });

  it('holds for the readings of a message', () => {
    const message = sent(1, { readings: [reading(1), reading(1, { index: 1 })] });
    const records = [record(1, { data: reading(1, { index: 1 }) }), record(1)];
    assert.deepEqual(rules(history([message], [records])), ['out of order']);
  });

  it('holds from a deleted topic to the next', () => {
    const logs = [
      { topic: 't', partitions: [[record(2)]] },
      { topic: 't', partitions: [[record(1)]] },
    ];
    assert.deepEqual(rules(history([sent(1), sent(2)], [], { logs })), ['out of order']);
  });

  it('needs one partition', () => {
    const judged = history([sent(1), sent(2)], [[record(1)], [record(2)]], { partitionOf: (_, n) => n - 1 });
    assert.ok(rules({ ...judged, partitionCounts: [1, 2] }).includes('in two partitions'));
  });
});

describe('a record', () => {
  it('must have been sent by a device', () => {
    assert.deepEqual(rules(history([sent(1)], [[record(1), record(2)]])), ['never sent']);
    const strange = { ...record(1), value: 'not JSON' };
    assert.deepEqual(rules(history([], [[strange]])), ['never sent']);
  });

  it('must be unchanged', () => {
    const changed = record(1, { data: reading(1, { temperature: 99 }) });
    assert.deepEqual(rules(history([sent(1)], [[changed]])), ['changed on its way']);
  });

  it('must say of which device it is', () => {
    const { value } = record(1);
    const others = [
      value.replace('"zipcode":"90210"', '"zipcode":"90211"'),
      value.replace('"city":"B"', '"city":"C"'),
      value.replace('"city":"B"', '"city":"B","device_id":"d2"'),
    ];
    for (const other of others) {
      const found = rules(history([sent(1)], [[{ ...record(1), value: other, key: other.slice(37, 42) }]]));
      assert.ok(found.includes('the wrong device'), `${other}: ${found}`);
    }
    const { value: otherSeq } = record(2, { data: reading(1) });
    assert.deepEqual(rules(history([sent(1)], [[{ ...record(1), value: otherSeq }]])), [
      'changed on its way',
    ]);
  });

  it('must have the time at which its line came', () => {
    const late = { ...record(1), timestampMs: RECEIVED_MS + 1 };
    assert.deepEqual(rules(history([sent(1)], [[late]])), ['changed on its way']);
    assert.deepEqual(rules(history([sent(1)], [[late]], { hasTimeOfReception: false })), []);
  });

  it('must not have been refused', () => {
    const message = sent(1, { state: 'refused', code: 'invalid_message', refusedOver: 'c1' });
    assert.deepEqual(rules(history([message], [[record(1)]])), ['refused and delivered']);
    const onNext = sent(1, { ...message, refusedOver: 'c2' });
    assert.deepEqual(rules(history([onNext], [[record(1)]])), []);
  });

  it('must lie in the partition of its key, which is the zipcode', () => {
    assert.deepEqual(rules(history([sent(1)], [[], [record(1)]])), ['wrong partition']);
    assert.deepEqual(rules(history([sent(1)], [[record(1, { key: '1' })]])), ['wrong partition']);
  });

  it('must have come over a connection that carried its message', () => {
    const judged = history([sent(1)], [[record(1, { connection: 'c2' })]]);
    assert.deepEqual(rules(judged), ['over a connection that did not carry it']);
    const unheard = sent(1, { connections: [], sentUnheard: true });
    assert.deepEqual(rules(history([unheard], [[record(1, { connection: 'c2' })]])), []);
  });
});

describe('a refused record', () => {
  const refused = sent(1, { state: 'refused', code: 'record_too_large', isRefusedByKafka: true });

  it('must have a letter', () => {
    assert.deepEqual(rules(history([refused], [[]])), ['a refused record without its letter']);
    assert.deepEqual(rules(history([refused], [[]], { letters: undefined })), []);
  });

  it('is not missing if Kafka refused it after it was stored', () => {
    const headers = [['reason', 'INVALID_RECORD']] as const;
    const letters = lettersOf({ ...record(1), headers });
    assert.deepEqual(rules(history([sent(1)], [[]], { letters })), []);
  });

  it('must have a reason in its letter', () => {
    const letters = (headers: LogRecord['headers']) => lettersOf({ ...record(1), headers });
    assert.deepEqual(
      rules(history([refused], [[]], { letters: letters([['reason', 'MESSAGE_TOO_LARGE']]) })),
      [],
    );
    assert.deepEqual(rules(history([refused], [[]], { letters: letters([]) })), [
      'a letter without its reason',
    ]);
  });

  it('must be in its letter unchanged, and a letter must name the connection of its device', () => {
    const headers = [['reason', 'INVALID_RECORD']] as const;
    const changed = { ...record(1, { data: reading(1, { temperature: 22 }) }), headers };
    assert.deepEqual(rules(history([sent(1)], [[record(1)]], { letters: lettersOf(changed) })), [
      'changed on its way',
    ]);
    const line: LogRecord = {
      ...record(2),
      value: '{"type":"metrics","data":{"d":"device-2","a":{}}}',
      headers: [
        ['reason', 'invalid_message'],
        ['connection_id', 'c1'],
      ],
    };
    assert.deepEqual(rules(history([sent(1)], [[record(1)]], { letters: lettersOf(line) })), [
      'the wrong device',
    ]);
  });
});
