// The command `npm run sustained`, with ten seconds of load. The figures mean nothing.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { SustainedResult } from '../../bench/sustained/result.ts';
import { resultOf } from '../../bench/sustained/result.ts';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { kafkaTest } from '../support/kafka.ts';
import { Files, measuringCommand, topicsOf } from './command.ts';

const SHORT = ['--minutes', '0.14', '--warm-up', '1s', '--every', '1s', '--rate', '500', '-c', '10'];
/** Limits that a machine busy with other tests keeps. */
const LAX = ['--rss-mib', '1000', '--p99-times', '1000', '--p99-ms', '10000'];

/** Writes a record that no device sent into the topic of the running command. */
async function plantRecord(bootstrap: string): Promise<void> {
  const topics = await topicsOf(bootstrap, 'sustained');
  const topic = topics.find((name) => !name.endsWith('.alarms')) ?? '';
  const producer = kafkaClient(bootstrap).producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: '{}' }] });
  await producer.disconnect();
}

describe('npm run sustained', () => {
  kafkaTest(
    'judges a steady load, writes the report, and writes the same report from its file',
    async ({ bootstrap }, t) => {
      const files = new Files(t);
      const outputs = ['--json', files.at('run.json'), '--report', files.at('page.md')];
      const { code, out, err } = await measuringCommand('sustained', [...SHORT, ...LAX, ...outputs], {
        bootstrap,
      });
      assert.equal(code, 0, out + err);
      const { samples, load, flatness, faults } = JSON.parse(files.read('run.json')) as SustainedResult;
      assert.deepEqual(faults, []);
      assert.equal(load.readBack?.delivered, load.counts.messages);
      assert.ok(samples.filter(({ warmUp }) => !warmUp).length >= 6);
      for (const {
        residentMiB,
        descriptors,
        processes,
        connections,
        warmUp,
        confirmedMs,
        consumerMs,
      } of samples) {
        // The sums include the devices' sockets and more than one process.
        assert.ok(residentMiB > 40 && residentMiB < 4000 && descriptors > 20 && processes > 1);
        assert.equal(connections, 10);
        assert.equal(warmUp, confirmedMs === undefined);
        assert.equal(warmUp, consumerMs === undefined);
      }
      assert.deepEqual(
        flatness?.map(({ flat }) => flat),
        [true, true, true, true],
      );
      assert.match(out, /OK: memory, descriptors and latency are flat/);
      assert.match(err, /RSS [\d.]+ MiB, \d+ descriptors/);
      const page = files.read('page.md');
      assert.match(
        page,
        /<!-- sustained: begin -->[\s\S]*npm run sustained -- --minutes 0\.14[\s\S]*<!-- sustained: end -->/,
      );
      assert.ok(!page.includes(files.at('')) && !page.includes(bootstrap));

      const from = ['--from', files.at('run.json'), ...LAX, '--report', files.at('again.md')];
      assert.equal((await measuringCommand('sustained', from)).code, 0);
      assert.equal(files.read('again.md'), page);
      const strict = await measuringCommand('sustained', [
        '--from',
        files.at('run.json'),
        '--p99-times',
        '1e-9',
        '--p99-ms',
        '1e-9',
      ]);
      assert.equal(strict.code, 1);
      assert.match(strict.out, /FAILED: p99 to confirmation ms not flat; p99 to consumer ms not flat\./);
    },
  );

  kafkaTest(
    'ends early with SIGINT, judges the samples so far, and finds a surplus record',
    async ({ bootstrap }, t) => {
      const files = new Files(t);
      const args = ['--minutes', '5', '--warm-up', '0', '--every', '500ms', '--rate', '500', '-c', '10'];
      const outputs = ['--json', files.at('run.json'), '--report', files.at('page.md')];
      const options = { bootstrap, interruptAt: /RSS/, before: () => plantRecord(bootstrap) };
      const { code, out, err } = await measuringCommand('sustained', [...args, ...outputs], options);
      assert.equal(code, 1, out + err);
      assert.match(err, /ending early/);
      const { load, faults } = JSON.parse(files.read('run.json')) as SustainedResult;
      const { messages } = load.counts;
      assert.ok(load.interrupted && messages > 0);
      assert.equal(load.readBack?.delivered, messages);
      assert.equal(faults.length, 2, faults.join('; '));
      assert.ok(faults[0]?.endsWith(`; the topic holds ${messages + 1}`), faults[0]);
      assert.equal(faults[1], 'too few samples to judge');
      assert.ok(out.endsWith(`FAILED: ${faults.join('; ')}.\n`));
      // A run that was cut short writes no report.
      assert.throws(() => files.read('page.md'), { code: 'ENOENT' });
      assert.deepEqual(await topicsOf(bootstrap, 'sustained'), []);
    },
  );

  it('refuses wrong options and says why', async (t) => {
    const refused: [args: string[], why: RegExp][] = [
      [['--minutes', '0'], /'0' is invalid.* above 0/],
      [['--minutes', '1', '--warm-up', '1m'], /leave 0 whole samples after the warm-up, but 6 are needed/],
      [['--every', '0'], /samples after the warm-up/],
      [['--rate', 'max'], /'max' is invalid/],
      [['--env', 'no'], /NAME=VALUE/],
    ];
    for (const [args, why] of refused) {
      const { code, err } = await measuringCommand('sustained', args);
      assert.equal(code, 1, args.join(' '));
      assert.match(err, why);
    }
    const files = new Files(t);
    writeFileSync(files.at('other.json'), '{"kind":"scaling"}');
    const { code, err } = await measuringCommand('sustained', ['--from', files.at('other.json')]);
    assert.equal(code, 1);
    assert.match(err, /is not a file of npm run sustained/);
  });
});

it('a flat run fails if something was lost, crashed or was not sent in time', () => {
  const counts = { lines: 980, unsent: 20, messages: 980, confirmed: 980 };
  const measured = {
    limits: {},
    samples: [{ restarts: 2 }],
    load: { counts, faults: ['3 lost'] },
    imbalances: ['of 980 messages 977 were accepted'],
  } as unknown as Parameters<typeof resultOf>[0];
  assert.deepEqual(resultOf(measured).faults, [
    '3 lost',
    'of 980 messages 977 were accepted',
    'too few samples to judge',
    'only 98.0 % of the due lines were sent in time',
    '2 server processes crashed',
  ]);
});
