// `sluice dead` against a real Kafka: letters are counted, shown, and sent once.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { createTopic, deleteTopic, kafkaTest, readTopic, uniqueTopic } from '../support/kafka.ts';
import { DeadPlace, lineLetter, RECEIVED_AT, recordLetter, recordValue, valuesUpTo } from './dead-place.ts';

describe('dead resend', () => {
  kafkaTest('sends records as they were, and no letter twice', async ({ bootstrap }, t) => {
    const place = new DeadPlace(t, bootstrap);
    await place.createTopics();
    await place.write([0, 1, 2].map((n) => recordLetter(n)));

    const dry = await place.ok('resend', '--dry-run');
    assert.match(dry.out, new RegExp(`^${place.metrics} +3 +3$`, 'm'));
    const unasked = await place.run(['resend']);
    assert.equal(unasked.code, 64);
    assert.match(unasked.err, /nothing was sent: there is no terminal to ask on. Use --yes/);
    const { out } = await place.ok('resend', '--yes');
    assert.match(out, /^3 records sent$/m);
    const records = await readTopic(bootstrap, place.metrics, 3);
    assert.deepEqual(records.map(({ value }) => String(value)).sort(), valuesUpTo(3));
    for (const { key, headers, timestamp } of records) {
      assert.equal(String(key), '90210');
      assert.deepEqual(headers, {});
      assert.equal(timestamp, Date.parse(RECEIVED_AT));
    }
    const again = await place.ok('resend', '--yes');
    assert.match(again.out, /nothing to send\nnot sent:\n {2}3: an earlier run/);
    const listed = async (reason: string) => (await place.ok('ls', '--reason', reason)).out;
    assert.match(await listed('invalid_json,Message_too_large'), /^total +3 +3$/m);
    assert.equal(await listed('invalid_json'), 'no such dead letters\n');
    await place.write([recordLetter(3)]);
    assert.match((await place.ok('resend', '--yes')).out, /^1 record sent$/m);
    assert.deepEqual((await place.readings(4)).sort(), valuesUpTo(4));
    const listing = JSON.parse((await place.ok('ls', '--json')).out) as { rows: Record<string, unknown>[] };
    assert.deepEqual(
      listing.rows.map(({ reason, letters, sentAgain, kind }) => ({ reason, letters, sentAgain, kind })),
      [{ reason: 'MESSAGE_TOO_LARGE', letters: 4, sentAgain: 4, kind: 'record' }],
    );
  });

  kafkaTest(
    'sends a line as the records that it would have become, or says why not',
    async ({ bootstrap }, t) => {
      const place = new DeadPlace(t, bootstrap);
      await place.createTopics();
      const reading = '{"type":"metrics","seq":7,"data":[{"a":1.50},{"b":"\\u00e9"}]}';
      await place.write([
        lineLetter(reading, 'record_too_large'),
        lineLetter('{"type":"metrics","data":{"x":1}}', 'invalid_message'),
        lineLetter('{"type":"metrics","seq":3,"data":{"x":2}}', 'invalid_message'),
        lineLetter('{"type":"metrics","seq":4,"data":{"x":3}}', 'queue_full'),
        lineLetter('no json', 'invalid_json'),
        lineLetter('{"type":"identify","zipcode":"1","city":"C"}', 'already_identified'),
        lineLetter('{"type":"metrics","data":{"token":"[token hidden]"}}', 'record_too_large'),
        lineLetter(reading, 'record_too_large', { city: '' }),
        lineLetter(reading, 'record_too_large', { topic: '__consumer_offsets' }),
        lineLetter(reading, 'record_too_large', { topic: 'dead.no-such-topic' }),
      ]);
      const { out } = await place.ok('resend', '--yes');
      assert.match(out, /^3 records sent$/m);
      const kept = [...out.matchAll(/^ {2}(\d+): (.*)$/gm)].map(([, count, why]) => [
        count,
        why?.slice(0, 24),
      ]);
      assert.deepEqual(
        new Set(kept.map(String)),
        new Set(
          [
            ['2', 'its device has sent the reading before'.slice(0, 24)],
            ['1', 'the line would be refused again'.slice(0, 24)],
            ['1', 'the line holds no readin'],
            ['1', 'a token in the line was '],
            ['1', 'the letter does not say '],
            ['1', 'it is no dead letter of '],
            ['1', 'its topic does not exist'],
          ].map(String),
        ),
      );
      const head = `{"connection_id":"c","zipcode":"90210","city":"Hills","received_at":"${RECEIVED_AT}","device_id":"roof"`;
      assert.deepEqual((await place.readings(3)).sort(), [
        `${head},"data":{"x":1}}`,
        `${head},"seq":7,"data":{"a":1.50}}`,
        `${head},"seq":7,"data":{"b":"é"}}`,
      ]);
      assert.match((await place.ok('resend', '--yes', '--with-copies')).out, /^2 records sent$/m);
      assert.equal((await place.readings(5)).length, 5);
    },
  );

  kafkaTest('sends only what is chosen, and the rest later', async ({ bootstrap }, t) => {
    const place = new DeadPlace(t, bootstrap);
    await place.createTopics();
    const other = uniqueTopic('dead.other');
    await createTopic(bootstrap, other, { partitions: 1 });
    await place.write([
      recordLetter(0),
      recordLetter(1, 'INVALID_TIMESTAMP'),
      { ...recordLetter(2), headers: { topic: other } },
      { ...recordLetter(3), headers: { received_at: '2026-11-27T08:00:00.000Z' } },
      recordLetter(4),
    ]);
    const sends = async (...args: string[]) =>
      /^(\d+) records? sent$/m.exec((await place.ok('resend', '--yes', ...args)).out)?.[1];
    assert.equal(await sends('--reason', 'invalid_timestamp'), '1');
    assert.equal(await sends('--topic', other), '1');
    assert.equal(await sends('--until', '2026-11-28'), '1');
    assert.equal(await sends('--partition', '0', '--offset', '4'), '1');
    assert.deepEqual((await place.readings(3)).sort(), [1, 3, 4].map(recordValue));
    assert.equal(await sends('--limit', '5'), '1');
    assert.deepEqual((await place.readings(4)).sort(), [0, 1, 3, 4].map(recordValue));
    assert.equal((await readTopic(bootstrap, other, 1)).length, 1);
  });

  kafkaTest('a record that Kafka refuses again is a dead letter again', async ({ bootstrap }, t) => {
    const place = new DeadPlace(t, bootstrap);
    await place.createTopics({ 'message.timestamp.before.max.ms': '1000' });
    await place.write([recordLetter(0, 'INVALID_TIMESTAMP')]);
    const run = await place.run(['resend', '--yes']);
    assert.equal(run.code, 1, run.err);
    assert.match(run.out, /^0 records sent, 1 record refused by Kafka again/m);
    const letters = await readTopic(bootstrap, place.dead, 2);
    assert.deepEqual(
      letters.map(({ value }) => String(value)),
      [recordValue(0), recordValue(0)],
    );
    const listing = JSON.parse((await place.ok('ls', '--json')).out) as { rows: Record<string, unknown>[] };
    assert.deepEqual(
      listing.rows.map(({ letters: all, sentAgain }) => [all, sentAgain]),
      [[2, 1]],
    );
    const sent = await place.run(['resend', '--yes'], { KAFKA_TIMESTAMP: 'sent' });
    assert.equal(sent.code, 0, sent.err);
    assert.deepEqual(await place.readings(1), [recordValue(0)]);
  });

  kafkaTest('notices that the topic was created again', async ({ bootstrap }, t) => {
    const place = new DeadPlace(t, bootstrap);
    await place.createTopics();
    await place.write([recordLetter(0), recordLetter(1)]);
    await place.ok('resend', '--yes');
    await deleteTopic(bootstrap, place.dead);
    const none = await place.ok('resend', '--yes');
    assert.match(none.err, /does not exist: there are no letters in Kafka/);
    await createTopic(bootstrap, place.dead, { partitions: 2 });
    await place.write([recordLetter(2), recordLetter(3), recordLetter(4)]);
    const { out, err } = await place.ok('resend', '--yes');
    assert.match(err, /created again/);
    assert.match(out, /^3 records sent$/m);
    assert.deepEqual((await place.readings(5)).sort(), valuesUpTo(5));
  });
});
