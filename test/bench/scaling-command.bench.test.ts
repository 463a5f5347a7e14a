// The command `npm run scaling`, with little load. The figures mean nothing.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { ScalingResult } from '../../bench/scaling/result.ts';
import { kafkaTest } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { Files, measuringCommand, topicsOf } from './command.ts';

describe('npm run scaling', () => {
  kafkaTest(
    'measures a dimension, writes the report, and draws the same chart from its file',
    async ({ bootstrap }, t) => {
      const files = new Files(t);
      writeFileSync(files.at('page.md'), '# Page\n\n<!-- bench: begin -->\nfigures\n<!-- bench: end -->\n');
      const short = ['--only', 'processes', '--runs', '1', '--seconds', '0.5', '--rate', '500'];
      const outputs = ['--json', files.at('run.json'), '--report', files.at('page.md')];
      const { code, out, err } = await measuringCommand('scaling', [...short, ...outputs], { bootstrap });
      assert.equal(code, 0, out + err);
      const { dimensions } = JSON.parse(files.read('run.json')) as ScalingResult;
      assert.deepEqual(
        dimensions.map(({ name, points }) => [name, points.map(({ value, base }) => [value, base])]),
        [
          [
            'processes',
            [
              [1, true],
              [2, false],
            ],
          ],
        ],
      );
      for (const { runs, failures } of dimensions[0]?.points ?? []) {
        assert.deepEqual(failures, []);
        const [run] = runs;
        assert.ok(run && run.perSecond > 500 && run.cpuUs > 0 && run.p99Ms >= run.p50Ms && run.p50Ms > 0);
        // The window at full speed, and 1.5 s with 500 messages a second.
        assert.ok(run.messages > 0.5 * run.perSecond + 700, `${run.messages}`);
      }
      const page = files.read('page.md');
      assert.match(
        page,
        /^# Page\n\n<!-- bench: begin -->\nfigures\n<!-- bench: end -->\n\n<!-- scaling: begin -->/,
      );
      assert.ok(!page.includes(files.at('')) && !page.includes(bootstrap));
      const svg = files.read('scaling.svg');

      writeFileSync(files.at('scaling.svg'), '');
      const from = ['--from', files.at('run.json'), '--report', files.at('page.md')];
      assert.equal((await measuringCommand('scaling', from)).code, 0);
      assert.equal(files.read('scaling.svg'), svg);
      assert.equal(files.read('page.md'), page);
    },
  );

  kafkaTest('fails if a message did not arrive, and goes on to the next point', async ({ bootstrap }) => {
    const short = ['--only', 'processes', '--runs', '1', '--seconds', '0.2', '--rate', '500'];
    // At full speed most lines are refused. The load counts a refusal as a reply, so the gateway's balance shows it. On a
    // slow machine lines are refused at the paced rate too, and the load's consumer misses them first.
    const dropping = ['--env', 'TCP_JOB_QUEUE_FULL=drop', '--env', 'TCP_JOB_QUEUE_SIZE=1'];
    const { code, out, err } = await measuringCommand('scaling', [...short, ...dropping], { bootstrap });
    assert.equal(code, 1, out + err);
    for (const name of ['base', 'processes 2'])
      assert.match(
        err,
        new RegExp(`^FAILED  ${name}, run 1 of 1: (of \\d+ messages .* [1-9]\\d* refused|[\\d,]+ lost)`, 'm'),
      );
    assert.match(out, /base; failed runs: 1/);
  });

  kafkaTest('ends with SIGINT and leaves no topic behind', async ({ bootstrap }) => {
    const short = ['--only', 'processes', '--runs', '5', '--seconds', '0.2', '--rate', '500'];
    // During the second point.
    const before = () => waitFor('a topic', async () => (await topicsOf(bootstrap, 'scaling')).length > 0);
    const options = { bootstrap, interruptAt: /base, run 1/, before };
    const { code, out, err } = await measuringCommand('scaling', short, options);
    assert.equal(code, 130, out + err);
    assert.doesNotMatch(err, /FAILED/);
    assert.deepEqual(await topicsOf(bootstrap, 'scaling'), []);
  });

  it('refuses wrong options and says why', async () => {
    const refused: [args: string[], why: RegExp][] = [
      [['--only', 'workers,colour'], /allowed: workers, processes, connections, batch, codec\./],
      [['--runs', '0'], /'0' is invalid/],
      [['--seconds', '-1'], /'-1' is invalid/],
      [['--rate', 'max'], /'max' is invalid/],
    ];
    for (const [args, why] of refused) {
      const { code, err } = await measuringCommand('scaling', args);
      assert.equal(code, 1, args.join(' '));
      assert.match(err, why);
    }
  });
});
