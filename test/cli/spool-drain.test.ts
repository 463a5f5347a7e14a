// `sluice spool drain` against a real Kafka.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe } from 'node:test';
import { kafkaTest, readTopic, uniqueTopic } from '../support/kafka.ts';
import { Gateway, Place, withLetters } from './spool-place.ts';

describe('spool drain', () => {
  kafkaTest('sends everything in order, once, and leaves the spool empty', async ({ bootstrap }, t) => {
    const topic = uniqueTopic('cli.drain');
    const place = new Place(t, { KAFKA_TOPIC_METRICS: topic, KAFKA_COMPRESSION: 'none' });
    await place.fill(t, ['90210', '10001', '60601'], 500);
    const waiting = await place.cat();
    assert.equal(waiting.length, 1500);

    const { out } = await place.succeeds('drain', '--brokers', bootstrap);
    assert.equal(out, `${topic}: 1500 of 1500 records sent\n`);
    const records = await readTopic(bootstrap, topic, 1500);
    assert.equal(records.length, 1500);
    for (const key of ['90210', '10001', '60601']) {
      const of = <T extends { key: unknown; value: unknown }>(list: readonly T[]) =>
        list.filter((record) => String(record.key) === key).map(({ value }) => String(value));
      assert.deepEqual(of(records), of(waiting));
    }
    const { total } = await place.ls();
    assert.deepEqual([total.records, total.bytes], [0, 0]);
    await place.succeeds('drain', '--brokers', bootstrap);
    assert.equal((await readTopic(bootstrap, topic, 1500)).length, 1500);
  });

  kafkaTest('sends only the records of the given topic', async ({ bootstrap }, t) => {
    const [one, other] = [uniqueTopic('cli.one'), uniqueTopic('cli.other')];
    const place = new Place(t, { KAFKA_COMPRESSION: 'none' });
    for (const topic of [one, other]) {
      const gateway = await Gateway.start(t, { ...place.env, KAFKA_TOPIC_METRICS: topic });
      await gateway.send('90210', 10);
      await gateway.stop();
    }
    await place.succeeds('drain', '--brokers', bootstrap, '--topic', other);
    assert.equal((await readTopic(bootstrap, other, 10)).length, 10);
    assert.deepEqual(new Set((await place.cat()).map(({ topic }) => topic)), new Set([one]));
    await place.succeeds('drain', '--brokers', bootstrap);
    assert.equal((await readTopic(bootstrap, one, 10)).length, 10);
  });

  kafkaTest(
    'sends dead letters after the readings, or alone if their topic is given',
    async ({ bootstrap }, t) => {
      const [topic, dead] = [uniqueTopic('cli.readings'), uniqueTopic('cli.dead')];
      const place = await withLetters(t, {
        KAFKA_TOPIC_METRICS: topic,
        KAFKA_TOPIC_DEAD_LETTERS: dead,
        KAFKA_COMPRESSION: 'none',
      });
      const alone = await place.succeeds('drain', '--brokers', bootstrap, '--topic', dead);
      assert.equal(alone.out, 'dead letters: 2 of 2 sent\n');
      assert.equal((await readTopic(bootstrap, dead, 2)).length, 2);
      assert.equal((await place.cat()).length, 10);

      const gateway = await place.gateway(t);
      await gateway.sendRefused(['again']);
      await gateway.stop();
      const { out } = await place.succeeds('drain', '--brokers', bootstrap);
      assert.equal(out, `${topic}: 10 of 10 records sent\ndead letters: 1 of 1 sent\n`);
      assert.equal((await readTopic(bootstrap, topic, 10)).length, 10);
      const letters = await readTopic(bootstrap, dead, 3);
      assert.deepEqual(letters.map(({ value }) => String(value)).sort(), [
        'again',
        'no json',
        '{"type":"\u001b[31m"}',
      ]);
      assert.equal((await place.spool('ls')).out.match(/^total +0 /gm)?.length, 2);
    },
  );

  kafkaTest('sends presence last, so that no device looks connected for ever', async ({ bootstrap }, t) => {
    const [topic, presence] = [uniqueTopic('cli.readings'), uniqueTopic('cli.presence')];
    const place = new Place(t, {
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_TOPIC_PRESENCE: presence,
      KAFKA_COMPRESSION: 'none',
    });
    await place.fill(t, ['90210'], 10);
    const waiting = await place.cat('--dir', join(place.directory, 'presence'));
    assert.ok(waiting.length >= 3, `${waiting.length} states wait`);

    const { out } = await place.succeeds('drain', '--brokers', bootstrap);
    assert.equal(
      out,
      `${topic}: 10 of 10 records sent\npresence ${presence}: ${waiting.length} of ${waiting.length} states sent\n`,
    );
    const states = await readTopic(bootstrap, presence, waiting.length);
    assert.ok(states.some(({ value }) => String(value).includes('"event":"closed"')));
    assert.deepEqual(await place.cat('--dir', join(place.directory, 'presence')), []);
  });
});
