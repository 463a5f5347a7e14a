// The rule about clients of brokers, fed with counts that keep it and break it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientManners } from '../../../simulation/judge/client-manners.ts';

const good = { refusedLoginsAtMs: [], sentWhileMuted: 0, mutedMs: 60_000 };
const one = { processes: 1, starts: 1 };
const every = (ms: number, count: number) => Array.from({ length: count }, (_, i) => i * ms);

test('a client that waits while it is muted, and between logins, keeps the rule', () => {
  assert.deepEqual(clientManners(good, one), []);
  assert.deepEqual(clientManners({ ...good, sentWhileMuted: 2 }, one), []);
  // Once in two seconds for an hour.
  assert.deepEqual(clientManners({ ...good, refusedLoginsAtMs: every(2000, 1800) }, one), []);
  assert.deepEqual(clientManners({ ...good, refusedLoginsAtMs: every(0, 26) }, one), []);
});

test('a client that sends on a muted connection breaks it', () => {
  const [finding, ...more] = clientManners({ ...good, sentWhileMuted: 3 }, one);
  assert.equal(finding?.rule, 'a broker was not obeyed');
  assert.deepEqual(more, []);
});

test('a client that logs in again and again breaks it', () => {
  const refusedLoginsAtMs = every(300, 100);
  assert.equal(clientManners({ ...good, refusedLoginsAtMs }, one).length, 1);
  assert.equal(clientManners({ ...good, refusedLoginsAtMs }, { processes: 3, starts: 1 }).length, 0);
});
