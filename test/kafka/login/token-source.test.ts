// When tokens are renewed, and how often an endpoint is asked that gives none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterError } from '../../../src/kafka/client/cluster-error.ts';
import { type Token, TokenSource } from '../../../src/kafka/login/token-source.ts';

const LIFETIME_MS = 1000;

/** A source whose tokens are numbered, and its clock. */
function sourceOf(request?: () => Promise<Token>) {
  const clock = { ms: 0 };
  const asked: number[] = [];
  const failures: string[] = [];
  const state = { failing: false };
  const source = new TokenSource({
    request: async () => {
      asked.push(clock.ms);
      if (request !== undefined) return request();
      if (state.failing) throw new ClusterError('TOKEN', 'nobody answers');
      return { value: `token-${asked.length}`, lifetimeMs: LIFETIME_MS };
    },
    notRenewed: ({ message }, remainingMs) => failures.push(`${message}, ${remainingMs} ms`),
    now: () => clock.ms,
  });
  return { source, clock, asked, failures, state };
}

test('a token serves for half of its lifetime, then the next one is asked for', async () => {
  const { source, clock } = sourceOf();
  assert.equal(await source.token(), 'token-1');
  clock.ms = 499;
  assert.equal(await source.token(), 'token-1');
  clock.ms = 500;
  assert.equal(await source.token(), 'token-2');
  clock.ms = 5000;
  assert.equal(await source.token(), 'token-3');
});

test('connections that are opened at once share one request', async () => {
  const { source, asked } = sourceOf();
  const all = await Promise.all(Array.from({ length: 20 }, () => source.token()));
  assert.deepEqual(new Set(all), new Set(['token-1']));
  assert.equal(asked.length, 1);
});

test('while no new token comes, the old one serves until shortly before its end', async () => {
  const { source, clock, state, failures } = sourceOf();
  await source.token();
  state.failing = true;
  clock.ms = 600;
  assert.equal(await source.token(), 'token-1');
  assert.deepEqual(failures, ['nobody answers, 350 ms']);
  clock.ms = 949;
  assert.equal(await source.token(), 'token-1');
  clock.ms = 950;
  await assert.rejects(source.token(), { code: 'TOKEN', message: 'nobody answers' });
});

test('an endpoint that gives no token is asked again after two seconds or more, and after six at the latest', async () => {
  const { source, clock, state, asked } = sourceOf();
  state.failing = true;
  for (; clock.ms < 120_000; clock.ms += 50)
    await Promise.all(Array.from({ length: 5 }, () => assert.rejects(source.token(), { code: 'TOKEN' })));
  const pauses = asked.slice(1).map((ms, index) => ms - (asked[index] ?? 0));
  assert.ok(Math.min(...pauses) >= 2200, `${Math.min(...pauses)}`);
  assert.ok(Math.max(...pauses) <= 6050, `${Math.max(...pauses)}`);
  state.failing = false;
  clock.ms += 6000;
  assert.match(await source.token(), /^token-/);
});

test('a token that a broker has refused is not handed out again, but a newer one is', async () => {
  const { source } = sourceOf();
  const first = await source.token();
  source.refused(first);
  const second = await source.token();
  assert.notEqual(second, first);
  source.refused(first);
  assert.equal(await source.token(), second);
});
