import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Settings } from '../../src/config/settings.ts';
import { fewerProcessesText, messageBytes, processesFor, sharesOfProcess } from '../../src/config/shares.ts';
import { BufferBudget } from '../../src/kafka/batches/buffer-budget.ts';
import { shareOf } from '../../src/processes/share.ts';
import { accepted, type Env, problems } from './loading.ts';

const settingsOf = (env: Env): Settings => accepted(env).settings;

const bytesOf = (settings: Settings, name: string) =>
  sharesOfProcess(settings).find((share) => share.name === name)?.needBytes ?? Number.NaN;

describe('processes and their share of KAFKA_BUFFER_BYTES', () => {
  for (const { title, env, most } of [
    { title: '4 MiB', env: { KAFKA_BUFFER_BYTES: '4MiB' }, most: 1 },
    { title: 'PROFILE=small', env: { PROFILE: 'small' }, most: 11 },
    { title: 'the defaults', env: {}, most: 29 },
    { title: 'lines of up to 1 MiB', env: { TCP_MAX_LINE_BYTES: '1MiB' }, most: 12 },
  ]) {
    it(`${title}: at most ${most} are started, with a warning if more were asked for`, () => {
      const settings = settingsOf(env);
      for (const asked of [1, most]) {
        assert.deepEqual(processesFor(settings, asked), { started: asked, limit: undefined });
        assert.equal(fewerProcessesText(asked, processesFor(settings, asked)), undefined);
      }
      for (const asked of [most + 1, 14, 55, 256].filter((count) => count > most)) {
        const count = processesFor(settings, asked);
        assert.deepEqual([count.started, count.limit?.name], [most, 'KAFKA_BUFFER_BYTES']);
        const text = `is enough for ${most} of ${asked} server processes, so only ${most} will run`;
        assert.match(fewerProcessesText(asked, count) ?? '', new RegExp(`^KAFKA_BUFFER_BYTES=\\w+ ${text}`));
      }
    });

    it(`${title}: every started process has room for a message and two batches`, () => {
      const settings = settingsOf(env);
      for (let asked = 1; asked <= 256; asked++) {
        const { started } = processesFor(settings, asked);
        for (const index of [0, started - 1]) {
          const share = shareOf(settings, { index, processes: started });
          const budget = new BufferBudget(share.KAFKA_BUFFER_BYTES, messageBytes(share));
          budget.take(2 * share.KAFKA_BATCH_BYTES);
          assert.ok(budget.hasRoom(), `${asked} asked for, ${started} started`);
        }
      }
    });

    it(`${title}: the value in the warning is enough`, () => {
      for (const asked of [most + 1, 55, 256]) {
        let raised: Record<string, string> = env;
        // The warning names the setting that allows the fewest processes.
        for (let step = 0; step < 3 && processesFor(settingsOf(raised), asked).started < asked; step++) {
          const text = fewerProcessesText(asked, processesFor(settingsOf(raised), asked)) ?? '';
          const said = /set (\w+) to at least (\w+), or TCP_PROCESSES=(\d+)$/.exec(text);
          assert.equal(processesFor(settingsOf(raised), Number(said?.[3])).limit, undefined);
          raised = { ...raised, [said?.[1] ?? '']: said?.[2] ?? '' };
        }
        assert.equal(processesFor(settingsOf(raised), asked).started, asked);
      }
    });
  }

  it('a buffer that is too small for one process is refused, and the size in the problem is accepted', () => {
    const env = { TCP_MAX_LINE_BYTES: '1MiB' };
    const need = bytesOf(settingsOf(env), 'KAFKA_BUFFER_BYTES');
    accepted({ ...env, KAFKA_BUFFER_BYTES: String(need) });
    const [problem = '', ...others] = problems({ ...env, KAFKA_BUFFER_BYTES: String(need - 1) });
    assert.deepEqual(others, []);
    const allowed = /^KAFKA_BUFFER_BYTES=\d+ is too small .* allowed here: at least (\w+)$/.exec(problem);
    assert.ok(allowed);
    accepted({ ...env, KAFKA_BUFFER_BYTES: allowed[1] ?? '' });
  });
});

describe('processes and their share of SPOOL_MAX_BYTES', () => {
  it('as many are started as have room for two of the largest batches each', () => {
    const settings = settingsOf({ SPOOL_MAX_BYTES: '3MiB' });
    assert.equal(bytesOf(settings, 'SPOOL_MAX_BYTES'), 2 ** 20);
    assert.equal(processesFor(settings, 3).started, 3);
    const count = processesFor(settings, 4);
    assert.deepEqual([count.started, count.limit?.name], [3, 'SPOOL_MAX_BYTES']);
    const text = fewerProcessesText(4, count) ?? '';
    assert.match(text, /set SPOOL_MAX_BYTES to at least 4MiB, or TCP_PROCESSES=3$/);
  });

  it('a spool that could not hold two batches is refused', () => {
    const env = { KAFKA_BATCH_BYTES: '1MiB' };
    accepted({ ...env, SPOOL_MAX_BYTES: '2MiB' });
    const refused = problems({ ...env, SPOOL_MAX_BYTES: '2097151' }).join();
    assert.match(refused, /^SPOOL_MAX_BYTES=2097151 is too small for two batches .* at least 2MiB$/);
  });
});

describe('processes and their share of TCP_BUFFER_BYTES', () => {
  it('as many are started as have 1 MiB each, and the share is a part of the whole', () => {
    const settings = settingsOf({ TCP_BUFFER_BYTES: '3MiB' });
    assert.equal(processesFor(settings, 3).started, 3);
    const count = processesFor(settings, 4);
    assert.deepEqual([count.started, count.limit?.name], [3, 'TCP_BUFFER_BYTES']);
    assert.equal(shareOf(settings, { index: 1, processes: 3 }).TCP_BUFFER_BYTES, 2 ** 20);
  });

  it('a buffer that could not hold the longest lines of a few devices is refused', () => {
    const env = { TCP_MAX_LINE_BYTES: '1MiB' };
    accepted({ ...env, TCP_BUFFER_BYTES: '8MiB' });
    const refused = problems({ ...env, TCP_BUFFER_BYTES: '8388607' }).join();
    assert.match(refused, /^TCP_BUFFER_BYTES=8388607 is too small for the lines .* at least 8MiB$/);
  });
});

describe('a buffer', () => {
  it('that could never have room for a message throws instead of waiting for ever', () => {
    assert.throws(() => new BufferBudget(99, 100), RangeError);
    assert.ok(new BufferBudget(100, 100).hasRoom());
  });
});

describe('settings', () => {
  it('arrive unchanged in a message to a server process', () => {
    const settings = settingsOf({
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD: '"quoted" \\ \u2028 ü',
      TCP_PROXY_TRUSTED: '10.0.0.0/8',
      KAFKA_BROKERS: 'a:1,[::1]:2',
    });
    assert.deepEqual(JSON.parse(JSON.stringify(settings)), settings);
  });
});
