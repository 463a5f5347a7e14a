// The store of the example consumer, against a real PostgreSQL: each reading once, figures that agree with the rows,
// alarms, the tables of the old system, and bad records.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SourceRecord } from '../../../examples/consumer/src/record.ts';
import { SchemaError } from '../../../examples/consumer/src/schema.ts';
import { readSettings } from '../../../examples/consumer/src/settings.ts';
import { Store } from '../../../examples/consumer/src/store.ts';
import { hasPostgres, Postgres } from '../../support/postgres.ts';
import { waitFor } from '../../support/wait.ts';

const START_MS = Date.UTC(2026, 10, 21, 8);
const MINUTE_MS = 60_000;
const FOREVER = new AbortController().signal;

interface Given {
  readonly zipcode?: string;
  readonly device?: string;
  readonly seq?: number;
  /** After START_MS. */
  readonly minute?: number;
  readonly data?: object;
  readonly offset?: number;
  readonly text?: string;
}

let nextOffset = 0;

function record({
  zipcode = '90210',
  device = 'roof-7',
  minute = 0,
  data,
  text,
  ...given
}: Given): SourceRecord {
  const { offset = nextOffset++ } = given;
  const time = new Date(START_MS + minute * MINUTE_MS).toISOString();
  const value = {
    connection_id: `connection of ${device}`,
    zipcode,
    city: 'Beverly Hills',
    received_at: time,
    device_id: device,
    seq: given.seq ?? offset,
    data: { timestamp: time, ...data },
  };
  const bytes = Buffer.from(text ?? JSON.stringify(value));
  return { topic: 't', partition: 0, offset: String(offset), at: String(START_MS), value: bytes };
}

async function prepared(
  t: TestContext,
  postgres: Postgres,
  env: Record<string, string> = {},
): Promise<Store> {
  const store = new Store(readSettings({ DATABASE_URL: postgres.url, ...env }), 4);
  t.after(() => store.pool.ended || store.pool.end());
  await store.prepare(FOREVER);
  return store;
}

async function assertFiguresAgree(postgres: Postgres): Promise<void> {
  const hours = `
    SELECT zipcode, date_trunc('hour', timestamp) AS hour_timestamp, count(*)::int AS sample_count,
      round(avg(temperature), 2) AS avg_temp, round(avg(humidity), 2) AS avg_humidity, round(avg(wind_speed), 2) AS avg_wind
    FROM raw_metrics GROUP BY 1, 2 ORDER BY 1, 2`;
  const days = `
    SELECT zipcode, timestamp::date::text AS date, min(temperature) AS min_temp, max(temperature) AS max_temp,
      max(pollen_index) AS max_pollen
    FROM raw_metrics GROUP BY 1, 2 ORDER BY 1, 2`;
  const stored = {
    hours: await postgres.rows(
      'SELECT zipcode, hour_timestamp, sample_count, avg_temp, avg_humidity, avg_wind FROM hourly_metrics ORDER BY 1, 2',
    ),
    days: await postgres.rows(
      'SELECT zipcode, date::text, min_temp, max_temp, max_pollen FROM daily_summary ORDER BY 1, 2',
    ),
  };
  assert.deepEqual(stored, { hours: await postgres.rows(hours), days: await postgres.rows(days) });
}

test('the store of the example consumer, on a real PostgreSQL', async (t) => {
  if (!hasPostgres(t)) return;
  const postgres = await Postgres.start(t);

  /** Each part begins with empty tables, or with those that `sql` makes. */
  const part = async (name: string, work: (t: TestContext) => Promise<void>, sql = '') => {
    await postgres.rows('DROP SCHEMA public CASCADE');
    await postgres.rows(`CREATE SCHEMA public; ${sql}`);
    nextOffset = 0;
    await t.test(name, work);
  };

  await part('a batch that is stored twice, or by two at once, counts once', async (t) => {
    const store = await prepared(t, postgres);
    const other = await prepared(t, postgres);
    const records = Array.from({ length: 900 }, (_, i) => {
      const data = {
        temperature: (i * 37) % 101,
        humidity: i % 3 === 0 ? undefined : i / 7,
        pollen_index: i % 13,
      };
      return record({ zipcode: String(90_210 + (i % 5)), device: `roof-${i % 20}`, minute: i, data });
    });
    // Overlapping pieces in two orders, as after a rebalance that the former owner has not noticed.
    const pieces = [0, 150, 300, 450, 600].map((from) => records.slice(from, from + 300));
    await Promise.all([
      Promise.all(pieces.map((piece) => store.store(piece, FOREVER))),
      Promise.all(pieces.toReversed().map((piece) => other.store(piece, FOREVER))),
    ]);
    await store.store(records, FOREVER);
    assert.equal(await postgres.value('SELECT count(*)::int FROM sluice_readings'), 900);
    assert.equal(await postgres.value('SELECT count(*)::int FROM raw_metrics'), 900);
    assert.equal(await postgres.value('SELECT sum(sample_count)::int FROM hourly_metrics'), 900);
    assert.equal(await postgres.value('SELECT sum(samples)::int FROM sluice_hourly_sums'), 900);
    await assertFiguresAgree(postgres);
    const counts = [store.counts, other.counts];
    assert.equal(
      counts.reduce((sum, { stored }) => sum + stored, 0),
      900,
    );
    assert.equal(
      counts.reduce((sum, { copies }) => sum + copies, 0),
      5 * 300 * 2,
    );
    assert.equal(
      counts.reduce((sum, { rejected }) => sum + rejected, 0),
      0,
    );
  });

  await part(
    'two that store the same copies in other orders never wait for each other in a circle',
    async (t) => {
      const [store, other] = [await prepared(t, postgres), await prepared(t, postgres)];
      for (let round = 0; round < 8; round++) {
        const records = Array.from({ length: 500 }, (_, i) => record({ device: `roof-${i % 7}`, minute: i }));
        await Promise.all([store.store(records, FOREVER), other.store(records.toReversed(), FOREVER)]);
      }
      // PostgreSQL counts at the end of a session at the latest.
      await Promise.all([store.pool.end(), other.pool.end()]);
      assert.equal(await postgres.value('SELECT count(*)::int FROM raw_metrics'), 8 * 500);
      assert.equal(
        await postgres.value(
          'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
        ),
        0,
      );
    },
  );

  await part('digits, characters and readings that the old tables do not know are kept', async (t) => {
    const store = await prepared(t, postgres);
    const text = (data: string, more = '') =>
      `{"connection_id":"c","received_at":"2026-11-21T08:00:00.000Z","seq":1${more},"data":${data}}`;
    const odd = '{"n":12345678901234567890.10,"e":1e400,"s":"\\u0000é\\"","o":[{"p":null}]}';
    await store.store(
      [record({ text: text(odd) }), record({ text: text('{"truck":7}', ',"tags":{"fw":1.50}') })],
      FOREVER,
    );
    const rows = await postgres.rows(
      'SELECT data::text, tags::text, skipped FROM sluice_readings ORDER BY "offset"',
    );
    assert.deepEqual(rows, [
      { data: odd, tags: null, skipped: 'no_zipcode' },
      { data: '{"truck":7}', tags: '{"fw":1.50}', skipped: 'no_zipcode' },
    ]);
    assert.equal(await postgres.value('SELECT count(*)::int FROM raw_metrics'), 0);
    assert.deepEqual(store.counts.skipped, { no_zipcode: 2 });
  });

  await part('a bad record or field stops nothing', async (t) => {
    const store = await prepared(t, postgres);
    const fields = {
      temperature: 1e300,
      humidity: '50',
      precipitation: null,
      wind_speed: true,
      wind_direction: 'north',
    };
    const forged = JSON.stringify({
      connection_id: 'nul \0',
      received_at: '2026-11-21T08:00:00Z',
      zipcode: '90210',
      data: { timestamp: '2026-11-21T08:00:00Z' },
    });
    const deep = `{"connection_id":"c","received_at":"2026-11-21T08:00:00Z","data":{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`;
    const good = (minute: number) => record({ minute, data: { temperature: 20, wind_direction: 'NNE' } });
    const batch = [
      good(0),
      record({ text: 'no JSON' }),
      record({ text: forged }),
      good(1),
      record({ text: deep }),
      good(2),
    ];
    await store.store([...batch, record({ minute: 3, data: fields })], FOREVER);
    assert.equal(await postgres.value('SELECT count(*)::int FROM sluice_readings'), 4);
    const row =
      'SELECT temperature, humidity, precipitation, wind_speed, wind_direction FROM raw_metrics ORDER BY id DESC';
    assert.deepEqual(new Set(Object.values((await postgres.rows(row))[0] ?? {})), new Set([null]));
    const rejected = await postgres.rows<{ reason: string; offset: string; value: Buffer }>(
      'SELECT reason, "offset", value FROM sluice_rejected ORDER BY "offset"',
    );
    assert.deepEqual(
      rejected.map(({ offset }) => offset),
      ['1', '2', '4'],
    );
    assert.equal(rejected[0]?.reason, 'not_json');
    assert.match(rejected[1]?.reason ?? '', /^postgres: invalid byte sequence/);
    assert.match(rejected[2]?.reason ?? '', /^postgres: stack depth/);
    assert.equal(String(rejected[1]?.value), forged);
    await store.store(batch, FOREVER);
    assert.equal(await postgres.value('SELECT count(*)::int FROM sluice_rejected'), 3);
    await assertFiguresAgree(postgres);
  });

  await part('an outage of PostgreSQL loses nothing, and a stop ends the wait', async (t) => {
    const store = await prepared(t, postgres);
    await store.store([record({})], FOREVER);
    await postgres.stop('immediate');
    const waiting = store.store([record({ minute: 1 })], FOREVER);
    const stop = new AbortController();
    const stopped = assert.rejects(store.store([record({ minute: 2 })], stop.signal));
    await waitFor('the problem is told', () => store.problem !== undefined);
    stop.abort();
    await stopped;
    await postgres.start();
    await waiting;
    assert.equal(await postgres.value('SELECT count(*)::int FROM raw_metrics'), 2);
    assert.equal(store.problem, undefined);
  });

  await part('a connection that breaks between two statements ends one try, not the process', async (t) => {
    const store = await prepared(t, postgres);
    const client = await store.pool.connect();
    const ended = new Promise((resolve) => client.once('end', resolve));
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await postgres.rows('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    client.release(true);
    await store.store([record({})], FOREVER);
    assert.equal(store.counts.stored, 1);
  });

  await part('alarms come after their duration, go once, and are not changed by late readings', async (t) => {
    const store = await prepared(t, postgres);
    await postgres.rows(`INSERT INTO alarm_thresholds VALUES
        ('90210', 'temperature', '>', 30, 10, true, 28), ('90210', 'wind_speed', '>=', 20, 0, true, NULL),
        ('90210', 'humidity', '<', 20, 0, false, NULL), ('10001', 'battery', '<=', 3.5, 5, true, NULL)`);
    const heat = (minute: number, temperature: number, more: object = {}) =>
      record({ minute, data: { temperature, humidity: 1, ...more } });
    const battery = (minute: number, volts: number) =>
      record({ zipcode: '10001', minute, data: { battery: volts } });
    const batch = [
      heat(0, 31),
      heat(9, 32, { wind_speed: 20 }),
      // Late, and cold: it neither ends the breach nor clears.
      heat(5, 10),
      heat(10, 33, { wind_speed: 19.9 }),
      heat(11, 29),
      heat(12, 35),
      heat(13, 28),
      battery(0, 3.5),
      battery(4, 3.6),
      battery(5, 3.4),
      battery(9, 3.4),
      // The clock of this device is an hour ahead. The next reading must not look late.
      record({ minute: 20, data: { temperature: 20, timestamp: '2026-11-21T09:20:00Z' } }),
      heat(21, 40),
      heat(31, 40),
    ];
    const later = battery(10, 3.4);
    // In pieces, each twice.
    for (const piece of [batch.slice(0, 3), batch.slice(0, 6), batch, batch, [later]])
      await store.store(piece, FOREVER);
    const records = await postgres.rows<{ key: string; value: string }>(
      'SELECT key, value FROM sluice_alarm_outbox ORDER BY id',
    );
    const seen = records.map(({ value }) => JSON.parse(value) as Record<string, unknown>);
    const short = seen.map(({ type, metric, value, start_time }) => [type, metric, value, start_time]);
    const at = (minute: number) => new Date(START_MS + minute * MINUTE_MS).toISOString();
    assert.deepEqual(short, [
      ['ALARM_TRIGGERED', 'wind_speed', 20, at(9)],
      ['ALARM_TRIGGERED', 'temperature', 33, at(0)],
      ['ALARM_CLEARED', 'wind_speed', 19.9, at(9)],
      ['ALARM_CLEARED', 'temperature', 28, at(0)],
      ['ALARM_TRIGGERED', 'temperature', 40, at(21)],
      ['ALARM_TRIGGERED', 'battery', 3.4, at(5)],
    ]);
    const { alarm_id, ...first } = seen[1] ?? {};
    assert.deepEqual(Object.entries(first), [
      ['type', 'ALARM_TRIGGERED'],
      ['zipcode', '90210'],
      ['city', 'Beverly Hills'],
      ['metric', 'temperature'],
      ['value', 33],
      ['threshold', 30],
      ['operator', '>'],
      ['duration_minutes', 10],
      ['start_time', at(0)],
    ]);
    assert.equal(seen[3]?.alarm_id, alarm_id);
    const logged = await postgres.rows(
      'SELECT metric_name, breach_value, status, end_time FROM alarms_log ORDER BY start_time, metric_name',
    );
    assert.deepEqual(logged, [
      {
        metric_name: 'temperature',
        breach_value: '33.00',
        status: 'CLEARED',
        end_time: new Date(at(13)),
      },
      { metric_name: 'battery', breach_value: '3.40', status: 'ACTIVE', end_time: null },
      { metric_name: 'wind_speed', breach_value: '20.00', status: 'CLEARED', end_time: new Date(at(10)) },
      { metric_name: 'temperature', breach_value: '40.00', status: 'ACTIVE', end_time: null },
    ]);
    // A threshold that is switched off lets its alarm go.
    await postgres.rows(`UPDATE alarm_thresholds SET is_active = false WHERE metric_name = 'battery'`);
    await store.store([battery(11, 3.3)], FOREVER);
    assert.equal(
      await postgres.value(`SELECT status FROM alarms_log WHERE metric_name = 'battery'`),
      'CLEARED',
    );
  });

  await part('an alarm counts no time while its threshold is switched off', async (t) => {
    const store = await prepared(t, postgres);
    await postgres.rows(`INSERT INTO alarm_thresholds VALUES ('90210', 'temperature', '>', 30, 10)`);
    const at = (minute: number, temperature: number) => record({ minute, data: { temperature } });
    const isActive = (value: boolean) => postgres.rows('UPDATE alarm_thresholds SET is_active = $1', [value]);
    const alarms = () => postgres.value('SELECT count(*)::int FROM alarms_log');
    await store.store([at(0, 31)], FOREVER);
    await isActive(false);
    await store.store([at(5, 10), at(20, 31)], FOREVER);
    await isActive(true);
    await store.store([at(21, 31), at(30, 31)], FOREVER);
    assert.equal(await alarms(), 0, 'broken for nine minutes since it was switched on');
    await store.store([at(31, 31)], FOREVER);
    assert.equal(await alarms(), 1);
    assert.equal(
      Number(await postgres.value('SELECT extract(minute FROM start_time) FROM alarms_log')),
      21,
      'the alarm begins with the first reading after the switch',
    );
  });

  await part('an alarm counts no time in which another threshold was broken', async (t) => {
    const store = await prepared(t, postgres);
    await postgres.rows(`INSERT INTO alarm_thresholds VALUES ('90210', 'temperature', '>', 30, 10)`);
    const at = (minute: number, temperature: number) => record({ minute, data: { temperature } });
    await store.store([at(0, 31)], FOREVER);
    await postgres.rows('UPDATE alarm_thresholds SET threshold_value = 34, duration_minutes = 5');
    await store.store([at(9, 35), at(13, 35)], FOREVER);
    assert.equal(await postgres.value('SELECT count(*)::int FROM alarms_log'), 0);
    await store.store([at(14, 35)], FOREVER);
    assert.equal(
      Number(await postgres.value('SELECT extract(minute FROM start_time) FROM alarms_log')),
      9,
      'broken since minute 9',
    );
  });

  await part('the last city that is known is kept', async (t) => {
    const store = await prepared(t, postgres);
    const text = ({ value }: SourceRecord) => String(value).replace('"Beverly Hills"', 'null');
    await store.store([record({}), record({ text: text(record({ minute: 1 })) })], FOREVER);
    assert.equal(await postgres.value('SELECT city_name FROM locations'), 'Beverly Hills');
  });

  const old = `
      CREATE TABLE locations (zipcode varchar(10) PRIMARY KEY, city_name varchar(6) NOT NULL, lat numeric(5,2), lon numeric(5,2),
        created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
      CREATE TABLE raw_metrics (id serial PRIMARY KEY, zipcode varchar(10) REFERENCES locations, timestamp timestamp NOT NULL,
        temperature numeric(5,2) NOT NULL, humidity numeric(5,2) NOT NULL, precipitation numeric(5,2), wind_speed numeric(5,2),
        wind_direction varchar(3) NOT NULL, pollution_index numeric(5,2), pollen_index numeric(5,2), received_at timestamp,
        UNIQUE (zipcode, timestamp));
      CREATE TABLE alarm_thresholds (id serial, zipcode varchar(10), metric_name varchar(50), operator varchar(2),
        threshold_value numeric(5,2), duration_minutes integer, is_active boolean, UNIQUE (zipcode, metric_name));
      CREATE TABLE alarms_log (alarm_id serial PRIMARY KEY, zipcode varchar(10), metric_name varchar(50), breach_value numeric(5,2),
        threshold_config json, start_time timestamp, end_time timestamp, status varchar(20));
      CREATE TABLE hourly_metrics (zipcode varchar(10), hour_timestamp timestamp, avg_temp numeric(5,2), avg_humidity numeric(5,2),
        avg_precip numeric(5,2), avg_wind numeric(5,2), avg_pollution numeric(5,2), avg_pollen numeric(5,2), sample_count integer,
        UNIQUE (zipcode, hour_timestamp));
      INSERT INTO locations VALUES ('90210', 'Bev', 34.09, -118.41, now(), now());
      INSERT INTO hourly_metrics VALUES ('90210', '2026-11-21 08:00', 10, 50, 0, 0, 0, NULL, 3);
      INSERT INTO alarm_thresholds VALUES (1, '90210', 'temperature', '>', 30, 0, true);
      INSERT INTO alarms_log VALUES (17, '90210', 'temperature', 31, '{}', '2026-11-21 07:00', NULL, 'ACTIVE');`;
  await part(
    'the tables of the old system are filled as they are',
    async (t) => {
      const store = await prepared(t, postgres);
      const batch = [
        record({ minute: 1, data: { temperature: 20.006, humidity: 1000, pollen_index: 4 } }),
        record({ minute: 1, data: { temperature: 99 }, device: 'another at the same second' }),
        record({ minute: 60, data: { temperature: 50, wind_direction: 'N' } }),
      ];
      await store.store(batch, FOREVER);
      await store.store(batch, FOREVER);
      const raw = await postgres.rows(
        'SELECT timestamp::text, temperature, humidity, wind_direction, pollen_index FROM raw_metrics ORDER BY id',
      );
      assert.deepEqual(raw, [
        {
          timestamp: '2026-11-21 08:01:00',
          temperature: '20.01',
          humidity: '0.00',
          wind_direction: '',
          pollen_index: '4.00',
        },
        {
          timestamp: '2026-11-21 09:00:00',
          temperature: '50.00',
          humidity: '0.00',
          wind_direction: 'N',
          pollen_index: null,
        },
      ]);
      const hours = await postgres.rows(
        'SELECT hour_timestamp::text AS hour, avg_temp, avg_pollen, sample_count FROM hourly_metrics ORDER BY 1',
      );
      // (3 * 10 + 20.01) / 4: the hour that the old system began goes on.
      assert.deepEqual(hours, [
        { hour: '2026-11-21 08:00:00', avg_temp: '12.50', avg_pollen: '4.00', sample_count: 4 },
        { hour: '2026-11-21 09:00:00', avg_temp: '50.00', avg_pollen: null, sample_count: 1 },
      ]);
      assert.deepEqual(await postgres.rows('SELECT city_name, lat FROM locations'), [
        { city_name: 'Beverl', lat: '34.09' },
      ]);
      // The alarm of the old system is cleared, and the next one gets an id of its sequence.
      const logged = await postgres.rows(
        'SELECT alarm_id, status, end_time::text FROM alarms_log ORDER BY start_time',
      );
      assert.deepEqual(logged, [
        { alarm_id: 17, status: 'CLEARED', end_time: '2026-11-21 08:01:00' },
        { alarm_id: 1, status: 'ACTIVE', end_time: null },
      ]);
      const outbox = await postgres.rows<{ value: string }>(
        'SELECT value FROM sluice_alarm_outbox ORDER BY id',
      );
      const ids = outbox.map(({ value }) => (JSON.parse(value) as { alarm_id: string }).alarm_id);
      assert.deepEqual(ids, ['17', '1']);
    },
    old,
  );

  await part(
    'an old table that lacks a column ends the start with its name',
    async (t) => {
      await assert.rejects(prepared(t, postgres), (error: Error) => {
        assert.ok(error instanceof SchemaError);
        assert.match(error.message, /raw_metrics has no column/);
        return true;
      });
    },
    'CREATE TABLE raw_metrics (id serial PRIMARY KEY, zipcode text)',
  );

  const strict = old
    .replace(/avg_temp numeric\(5,2\)/, '$& NOT NULL')
    .replace('alarm_id serial', 'alarm_id varchar(40)')
    .replace(/INSERT INTO alarms_log .*/, '');
  await part(
    'old figures that must not be null, and alarms without an id of their own, are filled too',
    async (t) => {
      const store = await prepared(t, postgres);
      await store.store(
        [record({ data: { humidity: 3 } }), record({ minute: 1, data: { temperature: 40 } })],
        FOREVER,
      );
      assert.equal(await postgres.value('SELECT count(*)::int FROM sluice_rejected'), 0);
      assert.equal(await postgres.value('SELECT sum(sample_count)::int FROM hourly_metrics'), 3 + 2);
      const ids = await postgres.rows<{ alarm_id: string; value: string }>(
        'SELECT alarm_id, value FROM alarms_log, sluice_alarm_outbox',
      );
      assert.equal(ids.length, 1);
      assert.match(ids[0]?.alarm_id ?? '', /^[0-9a-f-]{36}$/);
      assert.match(ids[0]?.value ?? '', new RegExp(`"alarm_id":"${ids[0]?.alarm_id}"`));
    },
    strict,
  );

  for (const [what, from, to, message] of [
    ['a column that nobody fills', 'lat numeric(5,2)', 'lat numeric(5,2) NOT NULL', /lat of locations/],
    ['an id that nobody makes', 'alarm_id serial', 'alarm_id integer', /alarm_id of alarms_log/],
    [
      'two rows for one threshold',
      'is_active boolean, UNIQUE (zipcode, metric_name)',
      'is_active boolean',
      /alarm_thresholds needs UNIQUE/,
    ],
  ] as const) {
    assert.ok(old.includes(from));
    await part(
      `old tables with ${what} end the start`,
      async (t) => {
        await assert.rejects(prepared(t, postgres), (error: Error) => {
          assert.ok(error instanceof SchemaError);
          assert.match(error.message, message);
          return true;
        });
      },
      old.replace(from, to),
    );
  }
});
