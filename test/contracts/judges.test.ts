// The judges of the recorded traffic find what is wrong: each case is traffic that is right, with one thing changed.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DEFAULT_RULES } from '../../scripts/contracts/files.ts';
import type { GatewayFacts } from '../support/traffic/gateway-facts.ts';
import type { RecordEntry } from '../support/traffic/records.ts';
import { judgeDeviceLine, judgePlainLine } from './judge-lines.ts';
import { recordFault, type TopicKind } from './judge-records.ts';
import { faultOf } from './validators.ts';

const METRICS = '{"type":"metrics","seq":1,"data":{"a":1}}';
const NO_DATA = '{"type":"metrics","seq":1}';

it('a line that was accepted and is no message, or was refused and is one', () => {
  const lineFault = (line: string, outcome: string, message?: string) =>
    judgeDeviceLine({ line, outcome, ...(message !== undefined && { message }) }, DEFAULT_RULES).fault;
  const rises = "field 'seq': has to rise, the last one was 7";
  for (const [line, outcome, message] of [
    [METRICS, 'accepted'],
    [NO_DATA, 'invalid_message', "field 'data': missing"],
    [METRICS, 'invalid_message', rises],
    [METRICS, 'not_identified'],
    ['{"type":"metrics"', 'invalid_json'],
    ['{"a":"\xff"}', 'invalid_utf8'],
    ['[]', 'invalid_json'],
    ['{"type":"identify","zipcode":"1","city":"x","resume":true}', 'already_identified'],
  ] as const)
    assert.equal(lineFault(line, outcome, message), undefined, line);
  for (const [line, outcome, message, fault] of [
    ['{"type":"identify","city":"x"}', 'already_identified', undefined, /was already_identified/],
    [NO_DATA, 'accepted', undefined, /was accepted: the file device-message/],
    ['{"type":"metrics","data":{"a":1,"a":2}}', 'accepted', undefined, /a name that comes twice/],
    ['[]', 'accepted', undefined, /not one JSON object/],
    ['{"a":"\xff"}', 'accepted', undefined, /not one JSON object in UTF-8/],
    [NO_DATA, 'not_identified', undefined, /was not_identified: the file/],
    [METRICS, 'invalid_message', 'for no reason', /is valid, and was refused: for no reason/],
    [METRICS, 'invalid_json', undefined, /is one JSON object, and was refused/],
    [METRICS, 'invalid_utf8', undefined, /is one JSON object, and was refused/],
  ] as const)
    assert.match(lineFault(line, outcome, message) ?? 'nothing', fault, line);
});

it('a plain line that was accepted and is no object, or was refused and is one', () => {
  const lineFault = (line: string, outcome: string) => judgePlainLine({ line, outcome }).fault;
  assert.equal(lineFault('{"a":1,"a":2}', 'accepted'), undefined);
  assert.equal(lineFault(' ', 'accepted'), undefined);
  assert.equal(lineFault('7', 'invalid_json'), undefined);
  assert.match(lineFault('7', 'accepted') ?? 'nothing', /not one JSON object/);
  assert.match(lineFault('{}', 'invalid_json') ?? 'nothing', /is one JSON object/);
});

it('a reply with a field, a status or a code that the contract does not name, or without one that it does', () => {
  const ERROR = { type: 'ack', status: 'error', code: 'invalid_json', message: 'x' };
  assert.equal(faultOf('reply', ERROR), undefined);
  for (const wrong of [
    { ...ERROR, column: 17 },
    { ...ERROR, status: 'failed' },
    { ...ERROR, code: 'bad_json' },
    { ...ERROR, code: undefined },
    { ...ERROR, seq: -1 },
  ])
    assert.notEqual(faultOf('reply', JSON.parse(JSON.stringify(wrong))), undefined, JSON.stringify(wrong));
});

const FACTS: GatewayFacts = {
  id: '1',
  isProcess: false,
  rules: DEFAULT_RULES,
  isGo: false,
  warns: false,
  topics: { metrics: 'm', lines: ['l'], dead: 'd', presence: 'p', alarms: 'a' },
  key: 'zipcode',
  headers: ['remote_address', 'device_id'],
};
const ID = 'cc955851-e6d6-4b93-9719-2843d3e4997d';
const AT = '2026-11-21T11:33:11.494Z';
const READING = { connection_id: ID, zipcode: '90210', city: 'x', received_at: AT, seq: 5, data: { a: 1 } };
const LETTER = {
  reason: 'invalid_json',
  topic: 'm',
  connection_id: ID,
  zipcode: '',
  remote_address: '',
  received_at: AT,
};
const STATE = {
  event: 'identified',
  at: AT,
  connection_id: ID,
  remote_address: '10.0.0.7',
  device_id: 'roof-7',
};
const ALARM = {
  ...{ type: 'ALARM_TRIGGERED', zipcode: '90210', city: 'x', metric: 'temperature', value: 41.5 },
  ...{ threshold: 35, operator: '>', duration_minutes: 10, start_time: AT, alarm_id: '7' },
};

const entry = (
  key: string | null,
  value: object | null,
  headers: Record<string, string> = {},
): RecordEntry => ({
  topic: 't',
  key,
  value: value && JSON.stringify(value),
  headers,
});
const ADDRESS = { remote_address: '10.0.0.7' };

it('a record with another value, key or headers than its contract says', () => {
  const right: readonly (readonly [TopicKind, RecordEntry])[] = [
    ['reading', entry('90210', READING, ADDRESS)],
    ['reading', entry('90210', READING, { ...ADDRESS, device_id: 'roof-7' })],
    ['line', entry('x', { anything: [] }, ADDRESS)],
    ['dead', entry(null, {}, { ...LETTER, city: 'x', 'record.remote_address': '' })],
    ['dead', entry(null, {}, { ...LETTER, reason: 'MESSAGE_TOO_LARGE' })],
    ['presence', entry('roof-7', STATE)],
    ['presence', entry(ID, null)],
    [
      'presence',
      entry(ID, { ...STATE, event: 'closed', reason: 'inactive', seconds: 1, lines: 2, stored_seq: 3 }),
    ],
    ['alarm', entry('90210', ALARM)],
  ];
  for (const [kind, record] of right)
    assert.equal(recordFault(record, kind, FACTS), undefined, record.value ?? '');
  const wrong: readonly (readonly [TopicKind, RecordEntry, RegExp])[] = [
    ['reading', entry('90210', { ...READING, site: 7 }, ADDRESS), /additionalProperty":"site/],
    ['reading', entry('90210', { ...READING, city: undefined }, ADDRESS), /missingProperty":"city/],
    ['reading', entry('90210', { ...READING, city: 'a\nb' }, ADDRESS), /\/city/],
    [
      'reading',
      entry('90210', { ...READING, received_at: '2026-11-21T11:33:11Z' }, ADDRESS),
      /\/received_at/,
    ],
    ['reading', entry('90210', { ...READING, data: 'a=1' }, ADDRESS), /\/data/],
    ['reading', entry('90211', READING, ADDRESS), /the key is 90211, not 90210/],
    ['reading', entry('90210', READING), /no header remote_address/],
    ['reading', entry('90210', READING, { ...ADDRESS, site: 'x' }), /name no header site/],
    ['line', entry('x', [], ADDRESS), /plain-line/],
    ['dead', entry('x', {}, LETTER), /a letter has no key/],
    ['dead', entry(null, {}, { ...LETTER, reason: 'because' }), /\/reason/],
    ['dead', entry(null, {}, { ...LETTER, site: 'x' }), /additionalProperty":"site/],
    ['presence', entry('roof-8', STATE), /the key is roof-8/],
    ['presence', entry('roof-7', { ...STATE, event: 'gone' }), /presence-record/],
    ['presence', entry('roof-7', { ...STATE, event: 'closed', reason: 'tired', seconds: 1 }), /\/reason/],
    ['alarm', entry('90211', ALARM), /the key is not the zipcode/],
    ['alarm', entry('90210', { ...ALARM, type: 'ALARM' }), /\/type/],
  ];
  for (const [kind, record, fault] of wrong)
    assert.match(recordFault(record, kind, FACTS) ?? 'nothing', fault, record.value ?? '');
});

it('a key and a wrapped line by the settings of the gateway', () => {
  const byTag = { ...FACTS, key: 'tags.site', headers: [] };
  const tagged = { ...READING, tags: { site: 'north' } };
  assert.equal(recordFault(entry('north', tagged), 'reading', byTag), undefined);
  assert.match(recordFault(entry('90210', tagged), 'reading', byTag) ?? 'nothing', /not north/);
  assert.equal(recordFault(entry(ID, READING), 'reading', byTag), undefined);
  const wrapped = { ...FACTS, rules: { ...DEFAULT_RULES, isWrapped: true }, headers: [] };
  assert.equal(
    recordFault(entry('x', { received_at: AT, remote_address: '::1', data: {} }), 'line', wrapped),
    undefined,
  );
  assert.match(recordFault(entry('x', { data: {} }), 'line', wrapped) ?? 'nothing', /wrapped-line-record/);
});
