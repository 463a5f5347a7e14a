// Each finding of each component, from figures: when it holds, when it does not, and what it says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KafkaCause, KafkaTrouble, TopicFigures } from '../../src/admin/kafka-figures.ts';
import { METRICS as METRICS_OF_GATEWAY } from '../../src/admin/metrics.ts';
import type { Figures } from '../../src/admin/snapshot.ts';
import { assess } from '../../src/health/assess.ts';
import type { Component } from '../../src/health/component.ts';
import { COMPONENTS } from '../../src/health/findings.ts';
import type { Phase } from '../../src/health/found.ts';
import { Health } from '../../src/health/health.ts';
import { sumOf } from '../../src/processes/sum.ts';
import { sampleFigures } from '../admin/sample-snapshot.ts';
import { componentOf, READINGS_TOPIC, stateOf, troublesOf } from '../support/health.ts';

const GIB = 2 ** 30;
const METRICS = READINGS_TOPIC;

/** A gateway in which all is well. */
const base = sampleFigures();
const WELL: Figures = {
  ...base,
  kafka: {
    ...base.kafka,
    connected: true,
    bufferCapacityBytes: 2 ** 20,
    topics: [METRICS, { ...METRICS, topic: 'dead', use: 'dead letters' }],
  },
  records: { ...base.records, spooled: 0 },
  spool: { ...base.spool, capacityBytes: GIB, diskFreeBytes: 100 * GIB },
  processes: { ...base.processes, configured: 1, running: 1 },
  tls: { ...base.tls, lifetimeDays: { cert: 90, ca: 3650 } },
};

type Section =
  | 'kafka'
  | 'spool'
  | 'queue'
  | 'connections'
  | 'processes'
  | 'deadLetters'
  | 'presence'
  | 'records'
  | 'tls';
type Changes = { readonly [S in Section]?: Partial<Figures[S]> };

function changed(changes: Changes, from = WELL): Figures {
  const sections = Object.entries(changes).map(([name, values]) => [
    name,
    { ...from[name as Section], ...values },
  ]);
  return { ...from, ...(Object.fromEntries(sections) as Partial<Figures>) };
}

const trouble = (cause: KafkaCause, isPartial = false): KafkaTrouble => ({
  cause,
  reason: `because of ${cause}`,
  isPartial,
});
const metricsWith = (topic: Partial<TopicFigures>, kafka: Partial<Figures['kafka']> = {}): Changes => ({
  kafka: { ...kafka, topics: [{ ...METRICS, ...topic }] },
});
const inTrouble = (one: KafkaTrouble) => metricsWith({ trouble: one }, { trouble: one });

interface Options {
  readonly phase?: Phase;
  readonly dropsLines?: boolean;
  readonly before?: readonly Component[];
}

function judge(figures: Figures, { phase = 'serving', dropsLines = false, before = [] }: Options = {}) {
  const components = assess(figures, {
    phase,
    dropsLines,
    had: (component, finding) => before.some((one) => one.id === component && one.finding === finding),
  });
  return { components };
}

describe('a gateway in which all is well', () => {
  it('has each component once, all ok but the clock, which nothing tells', () => {
    const { components } = judge(WELL);
    assert.deepEqual(
      components.map(({ id, state }) => [id, state]),
      [
        ['kafka', 'ok'],
        ['topic readings', 'ok'],
        ['topic dead', 'ok'],
        ['spool', 'ok'],
        ['buffer', 'ok'],
        ['queue', 'ok'],
        ['connections', 'ok'],
        ['processes', 'ok'],
        ['certificates', 'ok'],
        ['clock', 'unknown'],
        ['dead_letters', 'ok'],
      ],
    );
  });
});

const topic = 'topic readings';

/** Each with what is wrong, the component, its state and finding, and a part of the reason. */
const CASES: readonly (readonly [Changes, string, string, RegExp, Options?])[] = [
  [inTrouble(trouble('connecting')), 'kafka', 'unknown connecting', /because of connecting/],
  [inTrouble(trouble('not_configured')), 'kafka', 'failed not_configured', /not_configured/],
  [inTrouble(trouble('login')), 'kafka', 'failed login_refused', /because of login/],
  [inTrouble(trouble('token')), 'kafka', 'failed no_token', /because of token/],
  [inTrouble(trouble('token')), 'topic readings', 'unknown unknown', /see kafka/],
  [inTrouble(trouble('brokers')), 'kafka', 'failed unreachable', /because of brokers/],
  [inTrouble(trouble('versions')), 'kafka', 'failed unsupported', /because of versions/],
  [inTrouble(trouble('versions')), topic, 'unknown unknown', /see kafka/],
  [inTrouble(trouble('brokers')), topic, 'unknown unknown', /see kafka/],
  [inTrouble(trouble('leaders', true)), 'kafka', 'degraded leaders_unreachable', /because of leaders/],
  [inTrouble(trouble('leaders')), 'kafka', 'failed unreachable', /because of leaders/],
  [{ kafka: { throttled: 1, throttledSeconds: 12 } }, 'kafka', 'degraded throttled', /quota, 12 s in all/],
  [metricsWith({ trouble: trouble('topic') }), topic, 'failed unusable', /because of topic/],
  [metricsWith({ trouble: trouble('leaderless', true) }), topic, 'degraded no_leader', /leaderless/],
  [metricsWith({ trouble: trouble('leaderless') }), topic, 'failed no_leader', /leaderless/],
  [metricsWith({ trouble: trouble('fewer', true) }), topic, 'degraded fewer_partitions', /fewer/],
  [
    metricsWith({ held: 2, failing: 2, problems: ['a clock'] }),
    topic,
    'degraded held',
    /2 partitions of 6: a clock/,
  ],
  [metricsWith({ held: 6, failing: 6, problems: ['a clock'] }), topic, 'failed held', /6 partitions of 6/],
  [
    metricsWith({ failing: 6, problems: ['no right: give it'] }),
    topic,
    'failed unusable',
    /no right: give it/,
  ],
  [
    metricsWith({ failing: 1, lastError: 'NOT_ENOUGH' }),
    topic,
    'degraded failing',
    /1 partition of 6: NOT_ENOUGH/,
  ],
  [metricsWith({ failing: 6, lastError: 'NOT_ENOUGH' }), topic, 'failed failing', /6 partitions/],
  [
    { spool: { otherTopics: [{ topic: 'old', records: 7, bytes: 9, problem: 'gone' }] } },
    'topic old',
    'degraded waiting_topic',
    /7 records of old.*: gone/,
  ],
  [
    { spool: { otherTopics: [{ topic: 'old', records: 7, bytes: 9, problem: null }] } },
    'topic old',
    'ok ok',
    /7 records of old/,
  ],
  [
    { spool: { refusal: { cause: 'limit', reason: 'at its limit' }, bytes: GIB } },
    'spool',
    'failed full',
    /at its limit; 1.0 GiB of 1.0 GiB are used \(100 %\)/,
  ],
  [
    { spool: { refusal: { cause: 'disk-full', reason: 'no space' } } },
    'spool',
    'failed disk_full',
    /no space/,
  ],
  [{ spool: { refusal: { cause: 'disk', reason: 'EIO' } } }, 'spool', 'failed unwritable', /EIO/],
  [{ spool: { trouble: 'cannot be read' } }, 'spool', 'degraded unreadable', /cannot be read/],
  [{ spool: { bytes: 0.8 * GIB } }, 'spool', 'degraded nearly_full', /80 %.*does not grow/],
  [{ spool: { bytes: 0.79 * GIB } }, 'spool', 'ok ok', /79 %/],
  [{ spool: { bytes: 4096 } }, 'spool', 'ok ok', /<1 %/],
  [
    { spool: { bytes: 0.6 * GIB, fullestRatio: 0.8 } },
    'spool',
    'degraded nearly_full',
    /60 %.*80 % of its share in the fullest process/,
  ],
  [{ spool: { bytes: 0.6 * GIB, fullestRatio: 0.79 } }, 'spool', 'ok ok', /60 %/],
  // The disk has less than the limit allows.
  [{ spool: { bytes: 8e6, diskFreeBytes: 2e6 } }, 'spool', 'degraded nearly_full', /80 %/],
  [
    {
      ...inTrouble(trouble('brokers')),
      records: { spooled: 9837 },
      spool: { partitions: 6, growthBytesPerSecond: GIB / 7200 },
    },
    'spool',
    'degraded growing',
    /9,837 records wait.*growing by 145.6 KiB a second: full in 2h/,
  ],
  [{ records: { spooled: 9 }, spool: { partitions: 1 } }, 'spool', 'degraded draining', /9 records left/],
  [
    { kafka: { buffersFull: 1, bufferBytes: 2 ** 20 } },
    'buffer',
    'failed full',
    /fill KAFKA_BUFFER_BYTES, and devices are paused; 1.0 MiB of 1.0 MiB/,
  ],
  // The figure may not contradict the words.
  [
    { kafka: { buffersFull: 1, bufferBytes: 2 ** 20 - 1024 * 200 } },
    'buffer',
    'failed full',
    /filled KAFKA_BUFFER_BYTES until a moment ago; this state ends .*; 824.0 KiB of 1.0 MiB are used/,
  ],
  [{ kafka: { bufferBytes: 1_047_500 } }, 'buffer', 'ok ok', /^1022.9 KiB of 1.0 MiB are used/],
  [{ spool: { bytes: 293 } }, 'spool', 'ok ok', /^293 B of 1.0 GiB are used/],
  [
    { kafka: { buffersFull: 1, bufferBytes: 2 ** 19 }, processes: { configured: 2, running: 2 } },
    'buffer',
    'failed full',
    /fill KAFKA_BUFFER_BYTES in 1 of 2 processes, each with its share, and devices/,
  ],
  [
    {
      spool: { refusal: { cause: 'limit', reason: 'SPOOL_MAX_BYTES is reached' } },
      processes: { configured: 2, running: 2 },
    },
    'spool',
    'failed full',
    /SPOOL_MAX_BYTES is reached in at least one of 2 processes, each with its share; /,
  ],
  [{ queue: { full: 1, depth: 2000 } }, 'queue', 'degraded full', /2,000 lines wait/],
  [{ queue: { full: 1 } }, 'queue', 'failed dropping', /lines wait/, { dropsLines: true }],
  [{ connections: { active: 10_000 } }, 'connections', 'degraded full', /^10,000 of 10,000 places are taken/],
  [{ connections: { active: 9_999 } }, 'connections', 'ok ok', /9,999/],
  [{ connections: { outOfFiles: 1 } }, 'connections', 'degraded open_files', /ulimit -n/],
  [
    { processes: { configured: 4, running: 4, hung: [{ index: 2, pid: 77 }] } },
    'processes',
    'degraded hung',
    /server process 2 \(pid 77\) does not answer/,
  ],
  [{ processes: { configured: 4, running: 3 } }, 'processes', 'degraded missing', /1 of 4 server processes/],
  [{ processes: { configured: 4, running: 0 } }, 'processes', 'failed none', /none of 4/],
  [{ processes: { hung: [{ index: 0, pid: 7 }] } }, 'processes', 'failed none', /none of 1/],
  [{}, 'processes', 'failed stopping', /stopping/, { phase: 'stopping' }],
  [{}, 'processes', 'degraded draining', /drained/, { phase: 'draining' }],
  [{ tls: { daysLeft: {} } }, 'certificates', 'ok ok', /no TLS port/],
  [
    { tls: { daysLeft: { cert: 22, ca: 900 } } },
    'certificates',
    'degraded expires_soon',
    /TCP_TLS_CERT: expires in 22 days/,
  ],
  [
    { tls: { daysLeft: { cert: 23, ca: 900 } } },
    'certificates',
    'ok ok',
    /TCP_TLS_CERT is the first to expire, in 23 days/,
  ],
  [
    { tls: { daysLeft: { cert: 60, ca: 29 } } },
    'certificates',
    'degraded expires_soon',
    /TCP_TLS_CA: expires in 29 days/,
  ],
  [
    { tls: { daysLeft: { cert: -0.5, ca: 900 } } },
    'certificates',
    'failed expired',
    /TCP_TLS_CERT: expired 12 hours ago/,
  ],
  [{ kafka: { clockOffsetSeconds: 0.2 } }, 'clock', 'ok ok', /less than 1 s/],
  [{ kafka: { clockOffsetSeconds: 90 } }, 'clock', 'degraded differs', /90.0 s behind that of the broker/],
  [{ kafka: { clockOffsetSeconds: -7200 } }, 'clock', 'degraded differs', /120 minutes ahead of/],
  [
    { deadLetters: { waiting: 3, problem: 'no right' } },
    'dead_letters',
    'degraded waiting',
    /3 dead letters wait on disk: no right/,
  ],
  [
    { deadLetters: { waiting: 3, problem: 'x', blocked: 'neither' } },
    'dead_letters',
    'failed blocked',
    /neither/,
  ],
  [{ presence: { topic: 'p', waiting: 0 } }, 'presence', 'ok ok', /0 records wait/],
  [
    { presence: { topic: 'p', waiting: 1, problem: 'no right' } },
    'presence',
    'degraded waiting',
    /1 record waits: no right/,
  ],
  [
    { presence: { topic: 'p', waiting: 2, problem: 'x', blocked: 'the disk is full' } },
    'presence',
    'failed blocked',
    /2 records wait in memory: the disk is full/,
  ],
];

describe('the health of components', () => {
  for (const [changes, id, state, reason, options] of CASES)
    it(`${id} is ${state} if ${JSON.stringify(changes)}`, () => {
      const snapshot = judge(changed(changes), options);
      assert.equal(stateOf(snapshot, id), state);
      const component = componentOf(snapshot, id);
      assert.match(component?.reason ?? '', reason);
      // Whoever reads it at night is told how to go on.
      const isWell = component?.state === 'ok' || component?.state === 'unknown';
      const needsNothing = ['draining', 'stopping'].includes(component?.finding ?? '');
      if (!isWell && !needsNothing) assert.ok(component?.remedy, 'a remedy');
    });

  it('has every finding of the table in a case above, or as what is ok', () => {
    const seen = new Set(
      CASES.flatMap(([changes, , , , options]) =>
        judge(changed(changes), options).components.map(({ id, finding }) => `${kindOf(id)}.${finding}`),
      ),
    );
    const all = Object.entries(COMPONENTS).flatMap(([name, { findings }]) =>
      Object.keys(findings).map((finding) => `${name}.${finding}`),
    );
    assert.deepEqual(
      all.filter((one) => !seen.has(one)),
      [],
    );
    assert.deepEqual(
      [...seen].filter((one) => !all.includes(one)),
      [],
    );
  });

  it('keeps a finding at a limit while the figure hovers there', () => {
    const limits: readonly (readonly [string, string, Changes, Changes, Changes])[] = [
      [
        'spool',
        'nearly_full',
        { spool: { bytes: 0.8 * GIB } },
        { spool: { bytes: 0.71 * GIB } },
        { spool: { bytes: 0.69 * GIB } },
      ],
      [
        'connections',
        'full',
        { connections: { active: 10_000 } },
        { connections: { active: 9_501 } },
        { connections: { active: 9_499 } },
      ],
      [
        'clock',
        'differs',
        { kafka: { clockOffsetSeconds: 5 } },
        { kafka: { clockOffsetSeconds: 4.1 } },
        { kafka: { clockOffsetSeconds: 3.9 } },
      ],
    ];
    for (const [id, finding, begins, hovers, ends] of limits) {
      const first = judge(changed(begins));
      assert.equal(componentOf(first, id)?.finding, finding);
      assert.notEqual(componentOf(judge(changed(hovers)), id)?.finding, finding, 'from below');
      const second = judge(changed(hovers), { before: first.components });
      assert.equal(componentOf(second, id)?.finding, finding, 'from above');
      assert.equal(componentOf(judge(changed(ends), { before: second.components }), id)?.finding, 'ok');
    }
  });

  it('is that of the worst process in the sum, and a process that starts hides nothing', () => {
    const down = changed(inTrouble(trouble('brokers')));
    const starting = changed(inTrouble(trouble('connecting')));
    assert.equal(stateOf(judge(sumOf([WELL, down])), 'kafka'), 'failed unreachable');
    assert.equal(stateOf(judge(sumOf([WELL, starting])), 'kafka'), 'ok ok');
    assert.equal(stateOf(judge(sumOf([starting, starting])), 'kafka'), 'unknown connecting');
    const full = changed({ kafka: { buffersFull: 1 } });
    assert.equal(stateOf(judge(sumOf([WELL, full])), 'buffer'), 'failed full');
    // Every process knows the same partitions.
    const held = changed(metricsWith({ held: 3, failing: 3 }));
    assert.equal(stateOf(judge(sumOf([held, held])), topic), 'degraded held');
    const { clockOffsetSeconds } = sumOf([
      WELL,
      changed({ kafka: { clockOffsetSeconds: -9 } }),
      changed({ kafka: { clockOffsetSeconds: 8 } }),
    ]).kafka;
    assert.equal(clockOffsetSeconds, -9);
  });
});

describe('readiness', () => {
  const readiness = (changes: Changes, { requires = 'spool', phase = 'serving', full = 'pause' } = {}) => {
    const settings = { HTTP_READY_REQUIRES: requires, TCP_JOB_QUEUE_FULL: full } as ConstructorParameters<
      typeof Health
    >[0];
    return new Health(settings, () => phase as Phase).addTo(changed(changes)).readiness;
  };
  const full = { refusal: { cause: 'limit', reason: 'SPOOL_MAX_BYTES is reached' } } as const;

  it('holds while data sent now would be kept', () => {
    const kept: readonly Changes[] = [
      {},
      inTrouble(trouble('brokers')),
      inTrouble(trouble('login')),
      inTrouble(trouble('connecting')),
      inTrouble(trouble('not_configured')),
      metricsWith({ held: 6, failing: 6 }),
      metricsWith({ trouble: trouble('topic') }),
      // Kafka takes everything, so nobody needs the spool.
      { spool: full },
      { spool: { trouble: 'cannot be read' } },
      { connections: { active: 10_000 } },
      { connections: { outOfFiles: 1 } },
      { processes: { configured: 4, running: 3, hung: [{ index: 1, pid: 2 }] } },
      { queue: { full: 1 } },
      { deadLetters: { blocked: 'x' } },
      { presence: { topic: 'p', blocked: 'x' } },
      { tls: { daysLeft: { cert: -1 } } },
    ];
    for (const changes of kept)
      assert.deepEqual(readiness(changes), { ready: true, reasons: [] }, JSON.stringify(changes));
  });

  it('ends with a reason if data sent now would not be kept', () => {
    const lost: readonly (readonly [Changes, RegExp, Parameters<typeof readiness>[1]?])[] = [
      [{ ...inTrouble(trouble('brokers')), spool: full }, /SPOOL_MAX_BYTES is reached/],
      [{ ...metricsWith({ failing: 1 }), spool: full }, /SPOOL_MAX_BYTES is reached/],
      [{ kafka: { buffersFull: 1 } }, /KAFKA_BUFFER_BYTES/],
      [{ processes: { configured: 2, running: 0 } }, /none of 2/],
      [{ queue: { full: 1 } }, /lines wait/, { full: 'drop' }],
      [{}, /is stopping/, { phase: 'stopping' }],
      [{}, /drained/, { phase: 'draining' }],
      [{}, /is starting/, { phase: 'starting' }],
    ];
    for (const [changes, why, options] of lost) {
      const { ready, reasons } = readiness(changes, options);
      assert.equal(ready, false, JSON.stringify(changes));
      assert.match(reasons.join(), why);
    }
  });

  it('with HTTP_READY_REQUIRES=kafka also ends while Kafka takes nothing, and not while it takes a part', () => {
    const requires = 'kafka';
    assert.equal(readiness({}, { requires }).ready, true);
    assert.equal(readiness(inTrouble(trouble('leaders', true)), { requires }).ready, true);
    assert.equal(readiness(metricsWith({ failing: 1 }), { requires }).ready, true);
    for (const changes of [
      inTrouble(trouble('brokers')),
      inTrouble(trouble('connecting')),
      metricsWith({ failing: 6, lastError: 'because of all' }),
      metricsWith({ trouble: trouble('topic') }),
    ]) {
      const { ready, reasons } = readiness(changes, { requires });
      assert.equal(ready, false, JSON.stringify(changes));
      assert.match(reasons.join(), /because of/);
    }
  });
});

describe('the table of findings', () => {
  it('names only metrics that exist', () => {
    const names = new Set(METRICS_OF_GATEWAY.map(({ name }) => name));
    const named = JSON.stringify(COMPONENTS).match(/\bsluice_\w+/g) ?? [];
    assert.ok(named.length > 10);
    assert.deepEqual(
      named.filter((name) => !names.has(name)),
      [],
    );
  });
});

describe('troubles in words', () => {
  it('name the component, the reason and the remedy', () => {
    const text = troublesOf(judge(changed({ kafka: { buffersFull: 1, bufferBytes: 2 ** 20 } })));
    assert.match(text, /^buffer failed \(full\): .*devices are paused.*; see `kafka`/);
  });
});

const kindOf = (id: string) => (id.startsWith('topic ') ? 'topic' : id);
