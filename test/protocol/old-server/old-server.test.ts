import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { testSettings } from '../../support/gateway.ts';
import { CASES } from './cases.ts';
import { differenceOf } from './compare.ts';
import { DIFFERENCES } from './differences.ts';
import { play } from './play.ts';

describe('for the inputs of the old server, a real gateway gives its replies, ends and records', {
  concurrency: true,
}, () => {
  for (const [name, env, mode] of [
    ['except for the listed differences', {}, 'byDefault'],
    ['except for fewer differences with TCP_COMPATIBILITY=go', { TCP_COMPATIBILITY: 'go' }, 'go'],
  ] as const) {
    it(name, async () => {
      const outcomes = await play(CASES, env);
      for (const [index, one] of CASES.entries()) {
        const ours = outcomes[index];
        assert.ok(ours);
        const found = differenceOf(one, ours);
        assert.deepEqual(found, DIFFERENCES[one.case]?.[mode], `${one.case}: ${JSON.stringify(found)}`);
      }
    });
  }
});

it('every difference is of a case, and its reason stands in docs/from-the-go-server.md', () => {
  const page = readFileSync(new URL('../../../../docs/from-the-go-server.md', import.meta.url), 'utf8');
  const names = new Set(CASES.map((one) => one.case));
  assert.equal(names.size, CASES.length);
  for (const [name, { why }] of Object.entries(DIFFERENCES)) {
    assert.ok(names.has(name), name);
    for (const reason of why) assert.ok(reason !== '' && page.includes(reason), `${name}: ${reason}`);
  }
});

it('with TCP_COMPATIBILITY=go a line may be slow for as long as a device may be silent', () => {
  const { TCP_LINE_TIMEOUT, TCP_INACTIVITY_TIMEOUT } = testSettings({ TCP_COMPATIBILITY: 'go' });
  assert.equal(TCP_LINE_TIMEOUT, TCP_INACTIVITY_TIMEOUT);
});
