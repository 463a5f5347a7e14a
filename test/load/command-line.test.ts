// The command line of `sluice load` and `sluice-load`: refused options, and loads that cannot begin.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { startGateway } from '../support/gateway.ts';
import { loadProgram, sluiceLoad } from './sluice-load.ts';

const REFUSED: readonly (readonly [args: string, what: RegExp])[] = [
  ['--rate fast', /--rate .*messages a second, or max/],
  ['--rate -1', /--rate/],
  ['--connections 0', /--connections .*a whole number from 1/],
  ['--connections 10 --processes 11', /--processes: at most 64, and no more than connections/],
  ['--duration soon', /--duration .*a duration, such as/],
  ['--duration 0', /there would be no load/],
  ['--duration 5s --warm-up 5s', /nothing is left of a duration of 5s/],
  ['--shape tree', /--shape .*flat, pairs, or batch:N/],
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

describe('sluice load', () => {
  for (const [args, what] of REFUSED) {
    it(`${args} is refused with exit code 64`, async () => {
      const { code, out, err } = await sluiceLoad(args.split(' '));
      assert.match(err, what);
      assert.equal(code, 64);
      assert.equal(out, '');
    });
  }

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
  it('prints the same help as sluice load, under its own name', async () => {
    const [own, command] = await Promise.all([loadProgram(['--help']), sluiceLoad(['--help'])]);
    assert.equal(own.code, 0);
    assert.match(own.out, /^Usage: sluice-load /);
    assert.equal(own.out.replaceAll('sluice-load', 'sluice load'), command.out);
  });

  it('refuses a wrong option with exit code 64', async () => {
    const { code, err } = await loadProgram(['--rate', 'fast']);
    assert.equal(code, 64);
    assert.match(err, /messages a second, or max/);
  });
});
