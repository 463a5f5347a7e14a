// The command line of `sluice load` and `sluice-load`: refused options, and loads that cannot begin.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadProgram } from '../../load/command/command.ts';
import type { LoadOptions } from '../../load/command/options.ts';
import { planOf } from '../../load/command/plan-from-options.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { startGateway, testSettings } from '../support/gateway.ts';
import { runProgram } from '../support/program.ts';
import { ownProgram, sluiceLoad } from './sluice-load.ts';

const REFUSED: readonly (readonly [args: string, what: RegExp])[] = [
  ['--rate fast', /--rate .*messages a second, or max/],
  ['--rate -1', /--rate/],
  ['--connections 0', /--connections .*a whole number from 1/],
  ['--connections 10 --processes 11', /--processes: at most 64, and no more than connections/],
  ['--duration soon', /--duration .*a duration, such as/],
  ['--duration 0', /there would be no load/],
  ['--duration 5s --warm-up 5s', /nothing is left of a duration of 5s/],
  ['--shape tree', /--shape .*flat, nested, pairs, or batch:N/],
  ['--tags 17', /--tags .*a whole number up to 16/],
  ['--lines crlf', /--lines .*lf or octet-counted/],
  ['--lines lf --shape pairs', /--shape has to be flat or nested/],
  ['--lines lf --bad 1%', /need replies/],
  ['--lines lf --tags 1', /for devices that identify/],
  ['--lines lf --step 100 --no-read-back', /need a latency/],
  ['--shape batch:1001', /from 1 to 1000/],
  ['--bad 1', /--bad .*a share below 1/],
  ['--bad 100%', /a share below 1/],
  ['--churn x', /--churn .*a share below 1/],
  ['--size 100', /--size 100: a line of this shape has 150 to 40000 bytes/],
  ['--size 300 --shape batch:3', /--size 300: a line of this shape has 350 to 120000 bytes/],
  ['--slow-readers 5 --connections 4', /there are 4 connections/],
  ['--think 1s', /--think needs --rate max/],
  ['--step 10% --rate max', /--step needs a --rate to begin with/],
  ['--step 0', /--step .*25%/],
  ['--step 100 --no-seq --no-read-back', /need a latency/],
  ['--step 100 --no-seq --brokers=', /--brokers .*host:port/],
  ['--per-write 2000', /more than the --window of 1000/],
  ['--target nowhere', /--target .*host:port/],
  ['--target localhost:70000', /--target/],
  ['--brokers localhost', /--brokers .*host:port, separated by commas/],
  ['--topic a/b', /--topic .*a Kafka topic name/],
  ['--speed 5', /unknown option '--speed'/],
  ['extra', /too many arguments/],
];

/** Why the load refuses these arguments, without a process for each. */
function refusalOf(args: readonly string[]): string | undefined {
  const said: string[] = [];
  let options: LoadOptions | undefined;
  const program = loadProgram((chosen) => {
    options = chosen;
  });
  program.exitOverride().configureOutput({ writeErr: (text) => said.push(text) });
  try {
    program.parse(args, { from: 'user' });
  } catch {
    return said.join('');
  }
  assert.ok(options);
  const planned = planOf(options, testSettings({ TCP_PORT: '8080', TCP_LINES_PORT: '8082' }));
  return planned.ok ? undefined : planned.problem;
}

describe('the command line of the load', () => {
  for (const [args, what] of REFUSED)
    it(`refuses ${args}`, () => assert.match(refusalOf(args.split(' ')) ?? 'accepted', what));

  it('accepts no options, and all examples of its help', () => {
    assert.equal(refusalOf([]), undefined);
    const help = loadProgram(() => {});
    let text = '';
    help.configureOutput({
      writeOut: (part) => {
        text += part;
      },
    });
    help.outputHelp();
    const examples = [...text.matchAll(/^ {2}sluice-load (--.*?) {2}/gm)].map(([, args = '']) => args);
    assert.equal(examples.length, 5);
    for (const args of examples) assert.equal(refusalOf(args.split(' ')), undefined, args);
  });
});

describe('sluice load', () => {
  it('refuses a wrong option or plan with exit code 64 and prints nothing on standard output', async () => {
    for (const args of [['--rate', 'fast'], ['--size', '100'], ['extra']]) {
      const { code, out } = await sluiceLoad(args);
      assert.equal(code, 64, args.join(' '));
      assert.equal(out, '');
    }
  });

  it('refuses wrong settings with exit code 64', async () => {
    const { code, err } = await sluiceLoad([], { KAFKA_BROKERS: 'nonsense' });
    assert.equal(code, 64);
    assert.match(err, /KAFKA_BROKERS="nonsense"/);
  });

  it('says in one line that nothing listens, with exit code 1', async () => {
    const port = await freePort();
    const { code, err } = await sluiceLoad(['--target', `127.0.0.1:${port}`, '--no-read-back']);
    assert.equal(code, 1);
    assert.match(err, new RegExp(`^sluice: nothing answers at 127.0.0.1:${port} \\(ECONNREFUSED\\)$`, 'm'));
  });

  it('says in one line that no Kafka answers, with exit code 1', async (t) => {
    const gateway = await startGateway();
    t.after(() => gateway.stop());
    const args = ['--target', `127.0.0.1:${gateway.port}`, '--brokers', `127.0.0.1:${await freePort()}`];
    const { code, err } = await sluiceLoad(args);
    assert.equal(code, 1);
    assert.match(err, /^sluice: no Kafka answers at 127\.0\.0\.1:\d+/m);
  });
});

describe('sluice-load', () => {
  it('prints the same help as sluice load, under its own name and with --version', async () => {
    const [own, command] = await Promise.all([ownProgram(['--help']), sluiceLoad(['--help'])]);
    assert.equal(own.code, 0);
    assert.match(own.out, /^Usage: sluice-load /);
    const shared = own.out.replaceAll('sluice-load', 'sluice load').replace(/^ +-v, --version .*\n/m, '');
    assert.equal(shared, command.out);
  });

  it('prints the same version as sluice', async () => {
    const [own, sluice] = await Promise.all([
      ownProgram(['--version']),
      runProgram('src/main.js', ['--version']),
    ]);
    assert.deepEqual([own.code, own.err], [0, '']);
    assert.match(own.out, /^\d+\.\d+\.\d+\n$/);
    assert.equal(own.out, sluice.out);
  });

  it('refuses a wrong option with exit code 64', async () => {
    const { code, err } = await ownProgram(['--rate', 'fast']);
    assert.equal(code, 64);
    assert.match(err, /messages a second, or max/);
  });
});
