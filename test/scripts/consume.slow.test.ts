// `npm run kafka -- consume`, as a person runs it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { recordText } from '../../scripts/kafka/record-text.ts';
import { createTopic, kafkaTest, uniqueTopic } from '../support/kafka.ts';
import { runProgram } from '../support/program.ts';

const BASE_MS = 1_700_000_000_000;

/** One after the other, so that the offsets of a partition follow the numbers. */
async function produce(bootstrap: string, topic: string, from: number, to: number): Promise<void> {
  const producer = kafkaClient(bootstrap, 5).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const numbers = Array.from({ length: to - from }, (_, index) => from + index);
  const messages = numbers.map((n) => ({
    key: `k${n}`,
    value: `v${n}`,
    partition: n % 3,
    timestamp: String(BASE_MS + n),
    ...(n === 19 && { headers: { reason: 'invalid_json', device: ['a', 'b\u001b'] } }),
  }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

test('a record is a line with key and value, and one with headers; nothing in it reaches the terminal raw', () => {
  const value = Buffer.from('{"a":"\u001b[31m\n"}');
  assert.equal(
    recordText(
      { key: null, value, headers: { reason: Buffer.from('x\r'), n: ['1', '2'] } },
      { whole: false },
    ),
    'null {"a":"\\u001b[31m\\u000a"}\n    headers: reason=x\\u000d, n=1, n=2\n',
  );
  assert.equal(recordText({ key: Buffer.from('k'), value: null, headers: {} }, { whole: false }), 'k null\n');
  const long = { key: Buffer.from('k'), value: Buffer.alloc(5000, 'x'), headers: {} };
  const shown = recordText(long, { whole: false });
  assert.ok(shown.length < 2100);
  assert.ok(shown.endsWith('... (5000 characters; --whole shows all)\n'));
  assert.equal(recordText(long, { whole: true }).length, 5003);
});

kafkaTest('consume prints the last records, all, or new ones', async ({ bootstrap }, t) => {
  const topic = uniqueTopic('consume');
  await createTopic(bootstrap, topic, { partitions: 3 });
  await produce(bootstrap, topic, 0, 20);
  const consume = (args: readonly string[], onOutput?: (text: string, stop: () => void) => void) =>
    runProgram('scripts/kafka.js', ['consume', topic, '--bootstrap', bootstrap, ...args], {
      ...(onOutput && { onOutput: (text, child) => onOutput(text, () => child.kill('SIGINT')) }),
    });
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `k${from + index} v${from + index}`);

  await t.test('--last 5: five of all partitions, in the order of time, with headers, and ends', async () => {
    const { code, out, err } = await consume(['--last', '5']);
    assert.equal(code, 0, err);
    const headers = '    headers: reason=invalid_json, device=a, device=b\\u001b';
    assert.deepEqual(out.trimEnd().split('\n'), [...lines(15, 20), headers]);
  });

  await t.test('--from beginning: all of them, until Ctrl-C', async () => {
    const { code, out } = await consume(['--from', 'beginning'], (text, stop) => {
      if ((text.match(/^k/gm)?.length ?? 0) === 20) stop();
    });
    assert.equal(code, 0);
    assert.deepEqual(out.match(/^k.*/gm)?.sort(), lines(0, 20).sort());
  });

  await t.test('without an option: the last ones, then new ones until Ctrl-C', async () => {
    let isSent = false;
    const { code, out, err } = await consume([], (text, stop) => {
      if (!isSent && /^k19 /m.test(text)) {
        isSent = true;
        void produce(bootstrap, topic, 20, 22);
      }
      if (/^k20 /m.test(text) && /^k21 /m.test(text)) stop();
    });
    assert.equal(code, 0);
    assert.equal(out.match(/^k/gm)?.length, 22);
    assert.match(err, /its last 100 records \(all of it: --from beginning\), until Ctrl-C/);
  });

  await t.test('--from now: only new ones', async () => {
    let isSent = false;
    const { code, out } = await consume(['--from', 'now'], (text, stop) => {
      if (!isSent && text.includes('from now on')) {
        isSent = true;
        // It may still look up the end of the topic. So records are sent until one of them comes.
        void (async () => {
          for (let n = 30; isSent; n++) await produce(bootstrap, topic, n, n + 1);
        })();
      }
      if (/^k3\d /m.test(text)) {
        isSent = false;
        stop();
      }
    });
    assert.equal(code, 0);
    assert.doesNotMatch(out, /^k[12]?\d /m);
  });

  await t.test('a topic that does not exist, and options that exclude each other', async () => {
    const args = ['consume', uniqueTopic('absent'), '--bootstrap', bootstrap];
    const absent = await runProgram('scripts/kafka.js', [...args, '--last', '1']);
    assert.equal(absent.code, 1);
    assert.match(absent.err, /does not exist yet; Sluice creates its topics when it starts/);
    const both = await consume(['--last', '1', '--from', 'now']);
    assert.match(both.err, /cannot be used with option '--from/);
  });
});
