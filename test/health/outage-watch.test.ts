// The lines of an outage, from states that are told every second: each part of its story once, and nothing for moments.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type OutageLook, type OutageTrouble, OutageWatch } from '../../src/health/outage-watch.ts';
import { recordedLog } from '../support/log.ts';

const DOWN: OutageTrouble = {
  subject: 'Kafka',
  finding: 'kafka.unreachable',
  reason: '10.0.0.1:9092: nothing listens there (ECONNREFUSED)',
  remedy: 'see whether the brokers run',
  isPartial: false,
};
const LOGIN: OutageTrouble = { ...DOWN, finding: 'kafka.login_refused', reason: 'the login is refused' };
const LEADERS: OutageTrouble = { ...DOWN, finding: 'kafka.leaders_unreachable', isPartial: true };

const WELL: OutageLook = {
  trouble: null,
  isUsable: true,
  waiting: 0,
  spooled: 0,
  spoolBytes: 0,
  roomBytes: 2 ** 30,
  lastsMs: undefined,
  isFull: false,
  isPausing: false,
  pausedConnections: 0,
  confirmed: 0,
};
const OUT: OutageLook = { ...WELL, trouble: DOWN, isUsable: false };

/** Tells the states one after the other, each for so many seconds. Returns the names of the lines, and the lines. */
function story(...parts: readonly (readonly [seconds: number, look: Partial<OutageLook>])[]) {
  const { log, lines } = recordedLog();
  const watch = new OutageWatch({ brokers: ['10.0.0.1:9092'], directory: 'spool' }, log);
  let now = 1_000_000;
  for (const [seconds, look] of parts)
    for (let second = 0; second < seconds; second++) {
      watch.look({ ...WELL, ...look }, now);
      now += 1000;
    }
  return { names: lines.map(({ event }) => event), lines };
}

describe('the story of an outage', () => {
  it('has one line when it begins, one a minute, and one when it is over', () => {
    const { names, lines } = story(
      [3, {}],
      [150, { ...OUT, waiting: 5_000, spooled: 4_000, spoolBytes: 2 ** 20, lastsMs: 7_200_000 }],
      [2, { waiting: 900, spooled: 700, confirmed: 100 }],
      [60, { confirmed: 6_100 }],
    );
    assert.deepEqual(names, [
      'kafka_usable',
      'kafka_outage_began',
      'kafka_outage_continues',
      'kafka_outage_continues',
      'kafka_outage_over',
    ]);
    const [, began, continues, , over] = lines;
    assert.equal(began?.level, 40);
    assert.match(
      began?.msg ?? '',
      /^Kafka cannot be used: 10.0.0.1:9092: nothing.*spool on disk \(spool\), which has room for 1.0 GiB; nothing is dropped. To do: see whether/,
    );
    assert.match(
      continues?.msg ?? '',
      /^Kafka outage for 1m 2s: 5,000 readings wait, 1.0 MiB on disk, and at this rate the spool is full in 2h\. 10\.0/,
    );
    assert.equal(over?.level, 30);
    assert.deepEqual([over?.durationMs, over?.waited, over?.sent], [150_000, 5_000, 6_000]);
    assert.match(
      over?.msg ?? '',
      /lasted 2m 30s, and all readings that waited are in Kafka, at most 5,000 at once$/,
    );
  });

  it('has nothing for a leader that moves, and nothing while nothing is known', () => {
    assert.deepEqual(story([9, {}], [2, OUT], [9, {}], [4, { ...OUT, trouble: LEADERS }], [9, {}]).names, [
      'kafka_usable',
    ]);
    assert.deepEqual(story([99, { isUsable: false }]).names, []);
  });

  it('begins with an outage if Kafka was never there, and does not say twice that it is', () => {
    const { names, lines } = story([5, { isUsable: false }], [10, OUT], [20, {}]);
    assert.deepEqual(names, ['kafka_outage_began', 'kafka_outage_over']);
    assert.equal(lines[1]?.msg, 'The Kafka outage is over. It lasted 10s, and no reading had to wait');
  });

  it('says that a part of the partitions is concerned', () => {
    const [, began] = story([1, {}], [9, { ...OUT, trouble: LEADERS }]).lines;
    assert.match(
      began?.msg ?? '',
      /^Kafka cannot be used in full: .* readings of the partitions concerned go/,
    );
    assert.equal(began?.isPartial, true);
  });

  it('tells a long drain from its begin to its end', () => {
    const { names, lines } = story(
      [1, {}],
      [20, { ...OUT, waiting: 90_000, spooled: 90_000 }],
      [70, { spooled: 60_000, waiting: 60_100, confirmed: 30_000 }],
      [5, { confirmed: 95_000 }],
    );
    assert.deepEqual(names, [
      'kafka_usable',
      'kafka_outage_began',
      'kafka_returned',
      'backlog_draining',
      'kafka_outage_over',
    ]);
    assert.match(lines[2]?.msg ?? '', /^Kafka takes readings again, after 20s. 60,000 readings wait on disk/);
  });

  it('tells of an outage that comes again while the disk drains', () => {
    const { names } = story([1, {}], [9, OUT], [20, { spooled: 5 }], [9, OUT], [30, {}]);
    assert.deepEqual(names, [
      'kafka_usable',
      'kafka_outage_began',
      'kafka_returned',
      'kafka_outage_began',
      'kafka_outage_over',
    ]);
  });

  it('says within the minute if the reason has become another one', () => {
    const { lines } = story([1, {}], [20, OUT], [20, { ...OUT, trouble: LOGIN }]);
    assert.deepEqual(
      lines.slice(1).map(({ event, reason }) => [event, reason]),
      [
        ['kafka_outage_began', DOWN.reason],
        ['kafka_outage_continues', LOGIN.reason],
      ],
    );
    assert.equal(story([1, {}], [20, OUT], [20, { ...OUT, trouble: LEADERS }]).lines.length, 2);
    // Brokers that come back.
    assert.equal(story([1, {}], [20, OUT], [9, { ...OUT, trouble: LOGIN }], [20, OUT]).lines.length, 2);
  });

  it('says what comes when the disk does not last', () => {
    const outlook = (look: Partial<OutageLook>) => story([65, { ...OUT, ...look }]).lines[1]?.msg ?? '';
    assert.match(outlook({}), /the spool does not grow/);
    assert.match(outlook({ isFull: true, lastsMs: 5 }), /spool is full and new readings wait in memory/);
    assert.match(
      outlook({ isFull: true, isPausing: true, pausedConnections: 1_234 }),
      /1,234 devices are paused, nothing is dropped/,
    );
  });

  it('has at most two lines a minute of a Kafka that comes and goes', () => {
    const flaps = Array.from({ length: 60 }, () => [[6, OUT] as const, [12, {}] as const]).flat();
    const { names } = story(...flaps);
    assert.ok(names.length <= 2 * 18 + 8, `${names.length} lines in 18 minutes`);
  });
});
