import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accepted, problems } from './loading.ts';

const MIB = 2 ** 20;

describe('TCP_COMPATIBILITY=go', () => {
  const limits = (env: Record<string, string>) => {
    const { settings, origins } = accepted(env);
    return [
      [settings.TCP_MAX_LINE_BYTES, origins.TCP_MAX_LINE_BYTES],
      [settings.TCP_LINE_TIMEOUT, origins.TCP_LINE_TIMEOUT],
    ];
  };

  it('takes lines of 1 MiB, and of up to TCP_INACTIVITY_TIMEOUT, unless both are set', () => {
    assert.deepEqual(limits({}), [
      [65_536, 'default'],
      [30_000, 'default'],
    ]);
    for (const word of ['go', 'Go', ' GO '])
      assert.deepEqual(limits({ TCP_COMPATIBILITY: word }), [
        [MIB, 'compatibility'],
        [120_000, 'compatibility'],
      ]);
    assert.deepEqual(
      limits({ TCP_COMPATIBILITY: 'go', TCP_MAX_LINE_BYTES: '64KiB', TCP_LINE_TIMEOUT: '30s' }),
      [
        [65_536, 'environment'],
        [30_000, 'environment'],
      ],
    );
    assert.deepEqual(limits({ TCP_COMPATIBILITY: 'go', TCP_INACTIVITY_TIMEOUT: '7m' })[1], [
      420_000,
      'compatibility',
    ]);
  });

  it('counts more than a profile', () => {
    assert.deepEqual(limits({ PROFILE: 'wan' })[1], [60_000, 'profile']);
    assert.deepEqual(limits({ PROFILE: 'wan', TCP_COMPATIBILITY: 'go' })[1], [300_000, 'compatibility']);
  });

  it('is the only word that is allowed', () => {
    assert.equal(accepted({}).settings.TCP_COMPATIBILITY, null);
    assert.equal(accepted({ TCP_COMPATIBILITY: '' }).settings.TCP_COMPATIBILITY, null);
    assert.match(
      problems({ TCP_COMPATIBILITY: 'java' }).join(),
      /TCP_COMPATIBILITY="java".*allowed: one of go, or empty/,
    );
  });
});

describe('TCP_REQUIRE', () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `f${index}:number`).join();
  const required = (text: string) => accepted({ TCP_REQUIRE: text }).settings.TCP_REQUIRE;

  it('is a list of names with types', () => {
    assert.deepEqual(required(''), []);
    assert.deepEqual(required('timestamp:time, temperature : NUMBER,a:b c:string'), [
      { name: 'timestamp', type: 'time' },
      { name: 'temperature', type: 'number' },
      { name: 'a:b c', type: 'string' },
    ]);
    assert.equal(required(names(32)).length, 32);
    assert.equal(required(`${'🌧'.repeat(64)}:string`).length, 1);
  });

  for (const [text, why] of [
    ['temperature', /"temperature" has no type: write name:type/],
    ['temperature:float', /"float" is no type; there are number, string, time/],
    ['t:', /"" is no type/],
    ['t:number,u:string,t:time', /"t" is there twice/],
    ['t:number,,u:string', /there is a comma too many/],
    [':number', /"" is no name: names have 1-64 characters/],
    [`${'🌧'.repeat(65)}:string`, /is no name/],
    ['a\tb:string', /"a\\u0009b" is no name/],
    [names(33), /there are 33 fields/],
  ] as const) {
    it(`refuses ${JSON.stringify(text).slice(0, 40)}, and says why`, () => {
      const [problem = '', ...more] = problems({ TCP_REQUIRE: text });
      assert.deepEqual(more, []);
      assert.match(problem, why);
      assert.match(problem, /^TCP_REQUIRE=.*allowed: a list of up to 32 name:type/s);
    });
  }
});
