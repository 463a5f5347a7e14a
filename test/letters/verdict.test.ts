// The judgement of letters: a property over hostile letters, and the records of lines, which are those of a worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCodec } from '../../src/kafka/batches/compression.ts';
import { encodeBody, keyOf, recordParts } from '../../src/kafka/batches/record-body.ts';
import { placeText, readLetter } from '../../src/letters/letter.ts';
import { verdictOn } from '../../src/letters/verdict.ts';

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
