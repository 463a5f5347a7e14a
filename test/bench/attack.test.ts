// The table of `npm run attack` and its judge, whose faults nobody would notice.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Attack } from '../../bench/attack/attack.ts';
import { ATTACKS } from '../../bench/attack/attacks.ts';
import type { Evidence, GoodFigures } from '../../bench/attack/evidence.ts';
import { delayShare, delaysOf, faultsOf, LIMITS, problemsOf } from '../../bench/attack/judge.ts';
import { FAULTLESS } from '../load/records.ts';
import { measuringCommand } from './command.ts';

describe('the table of the attacks', () => {
  it('refuses a wrong name before it starts anything', async () => {
    const { code, err } = await measuringCommand('attack', ['--only', 'nothing']);
    assert.notEqual(code, 0);
    assert.match(err, /allowed: line-feeds-before, /);
  });

  it('refuses an attack that does not exist over TLS', async () => {
    const { code, err } = await measuringCommand('attack', ['--tls', '--only', 'sigusr1']);
    assert.notEqual(code, 0);
    assert.match(err, /--tls has line-feeds-before, .*, tls-storm/);
  });

  it('names each attack once', () => {
    assert.equal(new Set(ATTACKS.map(({ name }) => name)).size, ATTACKS.length);
  });
});

const latency = (p99: number) => ({ count: 100, p50: 1, p95: 2, p99, p999: p99, max: p99 });
const phase = (stored: number, keepalive = stored): GoodFigures => ({
  storedMs: latency(stored),
  keepaliveMs: latency(keepalive),
});
const answers = { asked: 9, unanswered: 0, slowestMs: 1, statuses: { 200: 9 } };
const readBack = { ...FAULTLESS, delivered: 9, examples: {} };
const good = { readBack, unconfirmed: 0, broken: 0, keepalivesLost: 0 };
const HELD: Evidence = {
  rest: phase(5),
  sink: phase(8),
  attacked: phase(10),
  good,
  attackers: { connected: 1, sentBytes: 1, ended: {}, notes: {} },
  rssMiB: [60, 100],
  cores: 1,
  waitedShare: 0,
  restarts: 0,
  exit: 0,
  mostConnections: 60,
  refusals: {},
  series: { before: 100, after: 100 },
  healthz: answers,
  readyz: answers,
  log: [],
};
const ATTACK: Attack = { name: 'any', does: 'anything', run: async () => {} };
const judge = (changes: Partial<Evidence>, attack = ATTACK) =>
  problemsOf(attack, { ...HELD, ...changes }, LIMITS);

describe('the judge of the attacks', () => {
  it('holds a p99 to twice the worse of rest and sink, or to 20 ms', () => {
    assert.deepEqual(judge({}), []);
    assert.deepEqual(judge({ attacked: phase(20) }), []);
    assert.deepEqual(judge({ sink: phase(30), attacked: phase(60) }), []);
    assert.deepEqual(judge({ rest: phase(30), attacked: phase(60) }), []);
    assert.deepEqual(judge({ attacked: phase(21, 20) }), ['p99 of stored is 21 ms, allowed 20']);
    assert.deepEqual(judge({ sink: phase(30), attacked: phase(20, 61) }), [
      'p99 of keepalives is 61 ms, allowed 60',
    ]);
  });

  it("tells delays, which may be the machine's, from faults", () => {
    const slow = { ...HELD, attacked: phase(20, 61) };
    assert.deepEqual(delaysOf(ATTACK, slow, LIMITS), ['p99 of keepalives is 61 ms, allowed 20']);
    assert.deepEqual(faultsOf(ATTACK, slow, LIMITS), []);
    assert.equal(delayShare(slow, LIMITS), 61 / 20);
    assert.deepEqual(delaysOf(ATTACK, { ...HELD, restarts: 1 }, LIMITS), []);
  });

  it('finds loss, copies, broken connections, memory, restarts and crashes', () => {
    for (const [changes, problem] of [
      [{ good: { ...good, readBack: { ...readBack, lost: 1 } } }, /^1 readings of good devices lost$/],
      [{ good: { ...good, readBack: { ...readBack, duplicated: 2 } } }, /^2 readings of .* duplicated$/],
      [{ good: { ...good, readBack: undefined } }, /^loss is unknown/],
      [{ good: { ...good, broken: 3 } }, /^3 connections of good devices broken$/],
      [{ good: { ...good, unconfirmed: 1 } }, /never confirmed$/],
      [{ good: { ...good, keepalivesLost: 1 } }, /^1 keepalives/],
      [{ rssMiB: [100, 513] }, /^RSS is 513 MiB, allowed 512$/],
      [{ healthz: { ...answers, unanswered: 2 } }, /^2 questions to the admin port had no answer$/],
      [{ restarts: 1 }, /^1 server processes were started again$/],
      [{ exit: 'SIGSEGV' }, /^the gateway ended with SIGSEGV$/],
      [{ log: ['fine', 'Uncaught exception: boom'] }, /^the log has: Uncaught/],
    ] as const) {
      const problems = judge(changes);
      assert.equal(problems.length, 1, problems.join());
      assert.match(problems[0] ?? '', problem);
    }
  });

  it('includes the problems that the check of the attack finds', () => {
    const attack = ATTACKS.find(({ name }) => name === 'http-post') ?? ATTACK;
    const refused = { ...HELD.attackers, ended: { wrong_protocol: 5 } };
    assert.deepEqual(judge({ attackers: refused }, attack), []);
    assert.deepEqual(judge({}, attack), ['no connection was closed with wrong_protocol']);
    const foreign = { attackers: refused, good: { ...good, readBack: { ...readBack, foreign: 4 } } };
    assert.deepEqual(judge(foreign, attack), ['4 records of the attackers are in Kafka']);
  });
});
