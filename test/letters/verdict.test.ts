// The judgement of letters: a property over hostile letters, and the records of lines, which are those of a worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseHeaders } from '../../src/config/identity-kinds.ts';
import { createCodec } from '../../src/kafka/batches/compression.ts';
import { encodeBody, headerList, keyOf, recordParts } from '../../src/kafka/batches/record-body.ts';
import { headerMaker } from '../../src/kafka/batches/record-headers.ts';
import { placeText, readLetter } from '../../src/letters/letter.ts';
import { verdictOn } from '../../src/letters/verdict.ts';
import { lineDecoder } from '../../src/protocol/line-decoder.ts';

const PLACE = { kind: 'topic', topic: 'dead', partition: 0, offset: 1 } as const;
const CODEC = createCodec('none');
const READY = { state: 'ready', maxMessageBytes: 5000 } as const;
const HEADERS = {
  reason: 'record_too_large',
  topic: 'readings',
  connection_id: 'c',
  zipcode: '90210',
  city: 'Hills "1"',
  received_at: '2026-11-28T08:00:00.000Z',
};

const letterWith = (value: string, headers: Readonly<Record<string, string>>) =>
  readLetter({ place: PLACE, timestampMs: 5, body: encodeBody(Buffer.from(value), headers) }, 'metrics');

const on = (letter: ReturnType<typeof letterWith>, target: Parameters<typeof verdictOn>[1] = READY) =>
  verdictOn(letter, target, { withCopies: false, codec: CODEC });

test('no bytes make a letter that throws, and none is sent without a topic, a key and a time', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc
      .tuple(fc.string(), fc.dictionary(fc.constantFrom(...Object.keys(HEADERS), '__proto__'), fc.string()))
      .map(([value, headers]) => encodeBody(Buffer.from(value), { ...HEADERS, ...headers })),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.oneof(fc.nat(), fc.double()), async (body, timestampMs) => {
      const letter = readLetter({ place: PLACE, timestampMs, body }, 'metrics');
      placeText(letter);
      new Date(letter.timeMs).toISOString();
      const verdict = await on(letter);
      if (verdict.kind === 'keep') return;
      assert.match(letter.topic, /^[\w.-]+$/);
      for (const record of verdict.records) {
        assert.ok(keyOf(record.body).length > 0);
        assert.ok(Number.isSafeInteger(record.timestampMs));
      }
    }),
  );
});

test('a line becomes the records that a worker would have made of it', async () => {
  const verdict = await on(letterWith('{"type":"metrics","seq":7,"data":[{"a":1.50},"b=2"]}', HEADERS));
  assert.ok(verdict.kind === 'send');
  assert.deepEqual(
    verdict.records.map(({ body }) => recordParts(body).value.toString()),
    ['{"a":1.50}', '{"b":2}'].map(
      (data) =>
        `{"connection_id":"c","zipcode":"90210","city":"Hills \\"1\\"","received_at":"2026-11-28T08:00:00.000Z","seq":7,"data":${data}}`,
    ),
  );
});

test('a record is measured as it would be sent, compressed', async () => {
  const large = letterWith(`{"x":"${'x'.repeat(6000)}"}`, { ...HEADERS, reason: 'MESSAGE_TOO_LARGE' });
  assert.deepEqual(await on(large), { kind: 'keep', why: 'too_large' });
  const gzip = await verdictOn(large, READY, { withCopies: false, codec: createCodec('gzip') });
  assert.equal(gzip.kind, 'send');
  assert.deepEqual(await on(large, { state: 'missing' }), { kind: 'keep', why: 'topic_missing' });
  assert.deepEqual(await on(large, { state: 'denied' }), { kind: 'keep', why: 'topic_denied' });
});

test('a line of a device without zipcode becomes a record with its key, its tags and the headers of the settings', async () => {
  const { zipcode: _, city: __, ...others } = HEADERS;
  const tags = '{"fw":3.10}';
  const headers = {
    ...others,
    zipcode: '',
    device_id: 'truck-7',
    key: 'north',
    tags,
    remote_address: '10.0.0.7',
  };
  const line = letterWith('{"type":"metrics","data":[{"a":1},{"a":2}]}', headers);
  const headersOf = headerMaker(parseHeaders('remote_address,device_id,site=x,cloudevents') ?? []);
  const decide = () => verdictOn(line, READY, { withCopies: false, codec: CODEC, headersOf });
  const verdict = await decide();
  assert.ok(verdict.kind === 'send');
  assert.deepEqual(verdict, await decide(), 'the same at each look, ids included');
  const [first, second] = verdict.records.map(({ body }) => ({
    key: Buffer.from(keyOf(body)).toString(),
    value: recordParts(body).value.toString(),
    headers: new Map(headerList(body).map(([name, value]) => [name, Buffer.from(value).toString()])),
  }));
  assert.equal(first?.key, 'north');
  assert.equal(
    first?.value,
    '{"connection_id":"c","received_at":"2026-11-28T08:00:00.000Z","device_id":"truck-7","tags":{"fw":3.10},"data":{"a":1}}',
  );
  assert.equal(first?.headers.get('remote_address'), '10.0.0.7');
  assert.equal(first?.headers.get('device_id'), 'truck-7');
  assert.equal(first?.headers.get('ce_time'), '2026-11-28T08:00:00.000Z');
  assert.notEqual(first?.headers.get('ce_id'), second?.headers.get('ce_id'));
});

test('tags that no device can have sent make a letter of nobody', async () => {
  for (const tags of ['', '{', 'null', '[]', '{"a":{}}', '{"a":1} ', ' {"a":1}', '{"a":1}}', '{"a": 1}']) {
    const verdict = await on(letterWith('{"type":"metrics","data":{"a":1}}', { ...HEADERS, tags }));
    assert.deepEqual(verdict, { kind: 'keep', why: 'no_identity' }, tags);
  }
});

test('a record is sent again with its own key and the bytes of its own headers', async () => {
  const schema = Buffer.from('0189791762233641869674299b90a802e2', 'hex');
  const headers = { ...HEADERS, reason: 'INVALID_RECORD', zipcode: '', key: 'north' };
  const body = encodeBody(Buffer.from('{ "as": "sent" }'), {
    ...headers,
    'record.__value_schema_id': schema,
    'record.site': 'x',
    'record.2': 'b',
    'record.1': 'a',
  });
  const verdict = await on(readLetter({ place: PLACE, timestampMs: 5, body }, 'metrics'));
  assert.ok(verdict.kind === 'send');
  const [record] = verdict.records;
  assert.ok(record !== undefined);
  assert.equal(Buffer.from(keyOf(record.body)).toString(), 'north');
  assert.equal(recordParts(record.body).value.toString(), '{ "as": "sent" }');
  assert.deepEqual(
    headerList(record.body).map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
    [
      ['__value_schema_id', schema.toString('hex')],
      ['site', Buffer.from('x').toString('hex')],
      ['2', Buffer.from('b').toString('hex')],
      ['1', Buffer.from('a').toString('hex')],
    ],
  );
});

test('a line is judged as the settings have lines judged', async () => {
  const letter = letterWith('{"Type":"metrics","data":{"Temperature":1}}', {
    ...HEADERS,
    reason: 'invalid_message',
  });
  const judged = (compatibility: 'go' | null, name: string) => {
    const decoder = lineDecoder({ compatibility, required: [{ name, type: 'number' }] });
    return verdictOn(letter, READY, { withCopies: false, codec: CODEC, decoder });
  };
  assert.equal((await judged('go', 'temperature')).kind, 'send');
  const still = await judged('go', 'humidity');
  assert.ok(still.kind === 'keep' && still.why === 'still_refused');
  assert.match(still.detail ?? '', /'humidity'/);
  assert.equal((await judged(null, 'temperature')).kind, 'keep');
});

test('a plain line becomes the record that it would have been, and one that is no object is kept', async () => {
  const plain = { ...HEADERS, zipcode: '', city: '', key: 'host-1', remote_address: '10.0.0.7' };
  const line = ' {"type":"metrics", "data":{"a":1}} ';
  const time = HEADERS.received_at;
  for (const [form, value] of [
    ['sent', line.trim()],
    ['wrapped', `{"received_at":"${time}","remote_address":"10.0.0.7","data":${line.trim()}}`],
  ] as const) {
    const verdict = await on(letterWith(line, { ...plain, plain: form }));
    assert.ok(verdict.kind === 'send');
    const [record, ...others] = verdict.records;
    assert.deepEqual([others, record?.timestampMs], [[], Date.parse(time)]);
    assert.equal(`${keyOf(record?.body ?? Buffer.alloc(0))}`, 'host-1');
    assert.equal(`${recordParts(record?.body ?? Buffer.alloc(0)).value}`, value);
  }
  const why = async (text: string, headers = {}) => {
    const verdict = await on(letterWith(text, { ...plain, plain: 'sent', ...headers }));
    return verdict.kind === 'keep' ? [verdict.why, verdict.detail] : [];
  };
  assert.deepEqual(await why('{"a":'), ['still_refused', 'the line is not valid JSON']);
  assert.deepEqual(await why(`{"a":"${'x'.repeat(4000)}"}`), ['too_large', undefined]);
  assert.deepEqual(await why('{"token":"[token hidden]"}'), ['token_hidden', undefined]);
  assert.deepEqual(await why('{}', { key: '' }), ['no_identity', undefined]);
});
