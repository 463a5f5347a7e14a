// Answers of the admin port that hardly any other test brings about, so that all answers of its document are seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WRONG_TOKENS } from '../../src/admin/access/token-check.ts';
import { NotStartedError } from '../../src/admin/snapshot.ts';
import { MAX_WAITING } from '../../src/inspect/gate.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { adminPort, BEARER } from '../admin/admin-port.ts';

test('while the gateway starts, every page with figures says so with 503', async (t) => {
  const { url } = await adminPort(t, {
    snapshot: () => {
      throw new NotStartedError();
    },
  });
  for (const path of ['/readyz', '/health', '/stats', '/metrics', '/refusals']) {
    const answer = await fetch(`${url}${path}`);
    assert.deepEqual([path, answer.status, await answer.text()], [path, 503, 'the gateway is starting\n']);
  }
});

test('a fault of the gateway is a 500 that says nothing of it', async (t) => {
  const { url, lines } = await adminPort(t, {
    snapshot: () => {
      throw new Error('a secret');
    },
  });
  const answer = await fetch(`${url}/stats`);
  assert.deepEqual([answer.status, await answer.text()], [500, 'internal error, see the log\n']);
  assert.equal(lines.filter(({ msg }) => /admin/i.test(msg)).length, 1);
});

test('a program that guesses tokens has to wait, as a browser has', async (t) => {
  const { url } = await adminPort(t);
  const guess = () =>
    fetch(`${url}/drain`, { method: 'POST', headers: { authorization: 'Bearer guessed-token' } });
  for (let count = 0; count < WRONG_TOKENS.burst; count++) assert.equal((await guess()).status, 401);
  const late = await guess();
  assert.equal(late.status, 429);
  assert.ok(Number(late.headers.get('retry-after')) > 0);
});

test('too many kicks at once are refused, and nobody is kicked', async (t) => {
  const waiting: (() => void)[] = [];
  const inspection = new Inspection([
    { index: 0, ask: () => new Promise((resolve) => waiting.push(() => resolve('{"kicked":1}'))) },
  ]);
  const { url } = await adminPort(t, { inspection });
  const kick = () => fetch(`${url}/kick?device_id=roof-7`, { method: 'POST', headers: BEARER });
  const kicks = Array.from({ length: MAX_WAITING.kicks + 2 }, kick);
  const first = await Promise.race(kicks);
  assert.equal(first.status, 503);
  for (const answer of waiting) answer();
  const statuses = (await Promise.all(kicks)).map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 200).length, waiting.length);
});

test('an order to kick may be in the query', async (t) => {
  const asked: unknown[] = [];
  const inspection = new Inspection([
    {
      index: 0,
      ask: ({ question }) => {
        asked.push(question);
        return Promise.resolve('{"kicked":1}');
      },
    },
  ]);
  const { url } = await adminPort(t, { inspection });
  for (const query of ['connection_id=7a02', 'address=192.0.2.7&reconnect_after_ms=60000']) {
    const answer = await fetch(`${url}/kick?${query}`, { method: 'POST', headers: BEARER });
    assert.deepEqual([answer.status, await answer.json()], [200, { kicked: 1, missing: [] }]);
  }
  assert.deepEqual(asked, [
    { target: { connectionId: '7a02' }, reconnectAfterMs: null },
    { target: { address: '192.0.2.7' }, reconnectAfterMs: 60_000 },
  ]);
});

test('a tap names the processes that do not answer', async (t) => {
  const answer = JSON.stringify({ isNew: true, events: [], passedOver: 0 });
  const inspection = new Inspection([
    { index: 0, ask: () => Promise.resolve(answer) },
    { index: 1, ask: () => Promise.resolve(null) },
  ]);
  const { url } = await adminPort(t, { inspection });
  const events = (await (await fetch(`${url}/tap?seconds=1`)).text()).trimEnd().split('\n');
  assert.ok(events.includes('{"event":"missing","processes":[1]}'), events.join('\n'));
});
