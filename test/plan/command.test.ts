// The command `npm run plan` as its users see it: the text, the JSON, and what it says to wrong options.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import type { Plan } from '../../plan/model/plan.ts';
import { addPlanOptions } from '../../plan/options.ts';

// From dist/test/plan.
const MAIN = fileURLToPath(new URL('../../plan/main.js', import.meta.url));
const PAGE = fileURLToPath(new URL('../../../docs/scaling.md', import.meta.url));
const OF_THE_ISSUE = '--devices 1000000 --interval 60s --bytes 200 --rtt 100ms --tls';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function plan(line: string): Promise<Ended> {
  return new Promise((resolve) =>
    execFile(process.execPath, [MAIN, ...line.split(' ').filter(Boolean)], (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
    ),
  );
}

describe('npm run plan', () => {
  it('prints everything that a plan promises', async () => {
    const { code, out, err } = await plan(`${OF_THE_ISSUE} --price 0.25 --broker-price 1 --outage 6h`);
    assert.deepEqual([code, err], [0, '']);
    for (const line of [
      /^machines +\d+ of 4 cores and 8\.0 GiB \(\d+ needed, 1 spare\)$/m,
      /^processes +\d+ server processes/m,
      /^partitions +\d+ \(/m,
      /^brokers +\d+ \(/m,
      /^binds first +(CPU|memory|open files|network|reconnect storm|disk)$/m,
      /^spool +[\d.]+ [KMGT]iB a machine for 6h without Kafka/m,
      /^reconnect storm +[\dhms ]+ until all are back/m,
      /^cost an hour +\d+\.\d\d: machines \d+\.\d\d, brokers \d+\.\d\d$/m,
      /^ {2}TCP_MAX_CONNECTIONS=\d+$/m,
    ])
      assert.match(out, line);
  });

  it('prints the same plan as JSON', async () => {
    const { code, out } = await plan(`${OF_THE_ISSUE} --price 0.25 --json`);
    assert.equal(code, 0);
    const made = JSON.parse(out) as Plan;
    const { input, machines, pricePerHour } = made;
    assert.deepEqual(
      [input.fleet, input.machine.pricePerHour],
      [
        { devices: 1_000_000, intervalSeconds: 60, lineBytes: 200, rttSeconds: 0.1, tls: true, peak: 2 },
        0.25,
      ],
    );
    assert.equal(pricePerHour.machines, machines.total * 0.25);
    assert.equal(pricePerHour.total, null);
    const text = (await plan(`${OF_THE_ISSUE} --price 0.25`)).out;
    assert.match(text, new RegExp(`^machines +${machines.total} of`, 'm'));
    assert.match(text, new RegExp(`^binds first +${machines.first}$`, 'm'));
  });

  for (const [line, allowed] of [
    ['', /give --devices/i],
    ['--devices 0', /'--devices.*allowed: a whole number, from 1 to/],
    ['--devices 10 calibrat', /too many arguments/],
  ] as const)
    it(`refuses "${line}" with exit code 64 and the allowed values`, async () => {
      const { code, out, err } = await plan(line);
      assert.deepEqual([code, out], [64, '']);
      assert.match(err, allowed);
      assert.doesNotMatch(err, /\n +at /);
    });

  // In this process: a start of the command takes half a second of CPU.
  for (const [line, allowed] of [
    ['--devices 1e6', /'--devices.*allowed: a whole number/],
    ['--devices 10 --interval 60', /'--interval.*allowed: a duration such as 500ms/],
    ['--devices 10 --interval 0s', /'--interval.*from 0\.01s/],
    ['--devices 10 --bytes 70000', /'--bytes.*from 34 to 65536/],
    ['--devices 10 --bytes 1K', /'--bytes.*allowed: a size such as/],
    ['--devices 10 --network 1GB', /'--network.*such as 100Mbit/],
    ['--devices 10 --use 1.5', /'--use.*from 0\.01 to 1/],
    ['--devices 10 --price -1', /'--price.*allowed: a number, from 0/],
    ['--devices 10 --cores', /--cores.*argument missing/],
    ['--devices 10 --device 10', /unknown option '--device'/],
  ] as const)
    it(`says to "${line}" what is allowed`, () => {
      let said = '';
      const command = addPlanOptions(new Command())
        .configureOutput({ writeErr: (text) => (said += text) })
        .exitOverride();
      assert.throws(() => command.parse(line.split(' '), { from: 'user' }), CommanderError);
      assert.match(said, allowed);
    });

  it('says which option to change if no number of machines is enough', async () => {
    const { code, err } = await plan('--devices 10 --memory 300MiB');
    assert.equal(code, 1);
    assert.match(err, /^a machine of 300 MiB is too small: .* give a larger --memory or fewer --cores\n$/);
  });

  it('prints the example of docs/scaling.md', async () => {
    const [, line = ''] = /^npm run plan -- (--devices 1000000 .*)$/m.exec(readFileSync(PAGE, 'utf8')) ?? [];
    const { out } = await plan(line);
    assert.ok(out.length > 500 && readFileSync(PAGE, 'utf8').includes(out.trim()));
  });
});
