// Raises and clears alarms. A threshold belongs to a zipcode and a metric, as in the old system.
// Time is that of the readings, never the clock of this process. So it makes no difference how late, or in how many
// pieces, readings come, and a replay decides as the first run did. The state is in PostgreSQL and changes in the
// transaction that stores the readings, together with the alarm record for Kafka, which waits in the outbox.
import type { ClientBase } from 'pg';
import { numberOf, type Reading } from './record.ts';
import type { ColumnFacts } from './schema.ts';

/** One row of alarm_thresholds, with the state of its alarm. */
interface Watch {
  readonly zipcode: string;
  readonly metric_name: string;
  readonly operator: string;
  readonly threshold_value: number;
  readonly clear_value: number | null;
  readonly duration_minutes: number;
  readonly is_active: boolean;
  /** Operator and value. With another rule, the time that the former one was broken does not count. */
  readonly rule: string;
  brokenSince: number | null;
  lastAt: number | null;
  /** Of the ACTIVE row in alarms_log, which the old system may have written. */
  alarm: { readonly id: string; readonly start: number } | null;
}

interface AlarmRecord {
  readonly key: string;
  readonly value: string;
}

const MS_PER_MINUTE = 60_000;

const MAKE = `
INSERT INTO sluice_alarm_state (zipcode, metric_name)
SELECT zipcode, metric_name FROM alarm_thresholds WHERE zipcode = ANY($1) ORDER BY 1, 2
ON CONFLICT DO NOTHING`;

/** A statement of its own: one that locks and reads at once would read the alarms as they were before it waited. */
const LOCK = `
SELECT FROM sluice_alarm_state WHERE zipcode = ANY($1) ORDER BY zipcode, metric_name FOR UPDATE`;

/** An old table has no clear_value: to_jsonb makes that null, not an error. */
const READ = `
SELECT t.zipcode::text, t.metric_name::text, t.operator, t.threshold_value::float8, t.duration_minutes::integer,
  t.is_active AND t.threshold_value IS NOT NULL AS is_active,
  (to_jsonb(t) ->> 'clear_value')::float8 AS clear_value,
  t.operator || t.threshold_value AS rule,
  CASE WHEN s.rule = t.operator || t.threshold_value THEN extract(epoch FROM s.broken_since)::float8 * 1000 END AS broken_since,
  extract(epoch FROM s.last_at)::float8 * 1000 AS last_at,
  active.alarm_id::text, extract(epoch FROM active.start_time)::float8 * 1000 AS start_time
FROM alarm_thresholds t
LEFT JOIN sluice_alarm_state s ON s.zipcode = t.zipcode AND s.metric_name = t.metric_name
LEFT JOIN LATERAL (
  SELECT alarm_id, start_time FROM alarms_log l
  WHERE l.zipcode = t.zipcode AND l.metric_name = t.metric_name AND l.status = 'ACTIVE'
  ORDER BY start_time DESC LIMIT 1
) active ON true
WHERE t.zipcode = ANY($1)`;

const SAVE = `
INSERT INTO sluice_alarm_state (zipcode, metric_name, broken_since, last_at, rule)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[]) ORDER BY 1, 2
ON CONFLICT (zipcode, metric_name) DO UPDATE SET broken_since = excluded.broken_since,
  last_at = excluded.last_at, rule = excluded.rule`;

const raise = (alarmId: string) => `
INSERT INTO alarms_log (alarm_id, zipcode, metric_name, breach_value, threshold_config, start_time, status)
VALUES (${alarmId}, $1, $2, $3, $4, $5, 'ACTIVE') RETURNING alarm_id::text`;
const RAISE = raise('DEFAULT');
const RAISE_WITH_ID = raise('gen_random_uuid()');

const CLEAR = `
UPDATE alarms_log SET end_time = $4, status = 'CLEARED'
WHERE zipcode = $1 AND metric_name = $2 AND status = 'ACTIVE' AND alarm_id::text = $3`;

const OUTBOX = `
INSERT INTO sluice_alarm_outbox (key, value)
SELECT key, value FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS new (key, value, place) ORDER BY place`;

/** @param readings that have just been inserted for the first time, with a zipcode and a time, in their order
 * @returns how many alarm records it put into the outbox */
export async function judge(
  client: ClientBase,
  readings: readonly Reading[],
  facts: ColumnFacts,
): Promise<number> {
  const zipcodes = [...new Set(readings.map(({ zipcode }) => zipcode))];
  const { rows: known } = await client.query('SELECT FROM alarm_thresholds WHERE zipcode = ANY($1) LIMIT 1', [
    zipcodes,
  ]);
  if (known.length === 0) return 0;
  await client.query(MAKE, [zipcodes]);
  await client.query(LOCK, [zipcodes]);
  const watches = await readWatches(client, zipcodes);
  const records: AlarmRecord[] = [];
  for (const reading of readings)
    for (const watch of watches.get(reading.zipcode ?? '') ?? [])
      records.push(...(await judgeReading(client, watch, reading, facts)));
  const all = [...watches.values()].flat();
  await client.query(SAVE, [
    all.map(({ zipcode }) => zipcode),
    all.map(({ metric_name }) => metric_name),
    all.map(({ brokenSince }) => isoOf(brokenSince)),
    all.map(({ lastAt }) => isoOf(lastAt)),
    all.map(({ rule }) => rule),
  ]);
  if (records.length > 0)
    await client.query(OUTBOX, [records.map(({ key }) => key), records.map(({ value }) => value)]);
  return records.length;
}

type WatchRow = Omit<Watch, 'brokenSince' | 'lastAt' | 'alarm'> & {
  readonly broken_since: number | null;
  readonly last_at: number | null;
  readonly alarm_id: string | null;
  readonly start_time: number | null;
};

async function readWatches(
  client: ClientBase,
  zipcodes: readonly (string | null)[],
): Promise<Map<string, Watch[]>> {
  const { rows } = await client.query<WatchRow>(READ, [zipcodes]);
  const watches = new Map<string, Watch[]>();
  for (const { broken_since, last_at, alarm_id, start_time, ...threshold } of rows) {
    const alarm = alarm_id === null || start_time === null ? null : { id: alarm_id, start: start_time };
    const watch: Watch = { ...threshold, brokenSince: broken_since, lastAt: last_at, alarm };
    watches.set(watch.zipcode, [...(watches.get(watch.zipcode) ?? []), watch]);
  }
  return watches;
}

async function judgeReading(
  client: ClientBase,
  watch: Watch,
  reading: Reading,
  { breachLimit, hasAlarmIds }: ColumnFacts,
): Promise<AlarmRecord[]> {
  const value = numberOf(reading.data[watch.metric_name]);
  if (value === null || reading.measuredAt === null) return [];
  // A clock that is ahead must not make all later readings look late.
  const at = Math.min(Date.parse(reading.measuredAt), Date.parse(reading.receivedAt));
  // A late reading tells how it was, not how it is. It is in the figures, and changes no alarm.
  if (watch.lastAt !== null && at < watch.lastAt) return [];
  watch.lastAt = at;
  const { zipcode, metric_name, duration_minutes, alarm } = watch;
  if (alarm !== null) {
    if (!isBack(watch, value)) return [];
    watch.alarm = null;
    watch.brokenSince = null;
    await client.query(CLEAR, [zipcode, metric_name, alarm.id, isoOf(at)]);
    return [alarmRecord('ALARM_CLEARED', watch, reading, value, alarm)];
  }
  if (!isBroken(watch, value)) {
    watch.brokenSince = null;
    return [];
  }
  watch.brokenSince ??= at;
  const start = watch.brokenSince;
  if (at - start < duration_minutes * MS_PER_MINUTE) return [];
  const { rows } = await client.query<{ alarm_id: string }>(hasAlarmIds ? RAISE : RAISE_WITH_ID, [
    zipcode,
    metric_name,
    Math.max(-breachLimit, Math.min(value, breachLimit)),
    JSON.stringify(configOf(watch)),
    isoOf(start),
  ]);
  watch.alarm = { id: rows[0]?.alarm_id ?? '', start };
  return [alarmRecord('ALARM_TRIGGERED', watch, reading, value, watch.alarm)];
}

/** A threshold that is switched off is not broken. */
function isBroken({ operator, threshold_value, is_active }: Watch, value: number): boolean {
  if (!is_active) return false;
  if (operator === '>') return value > threshold_value;
  if (operator === '>=') return value >= threshold_value;
  if (operator === '<') return value < threshold_value;
  return operator === '<=' && value <= threshold_value;
}

/** An active alarm ends if the threshold is not broken, and the value is also on the good side of clear_value. */
function isBack(watch: Watch, value: number): boolean {
  if (isBroken(watch, value)) return false;
  const { clear_value, operator, is_active } = watch;
  if (clear_value === null || !is_active) return true;
  return operator.startsWith('>') ? value <= clear_value : value >= clear_value;
}

const configOf = ({ operator, threshold_value, duration_minutes }: Watch) => ({
  operator,
  threshold_value,
  duration_minutes,
});

/** The record that the old readers know, with its fields in their order. */
function alarmRecord(
  type: 'ALARM_TRIGGERED' | 'ALARM_CLEARED',
  watch: Watch,
  reading: Reading,
  value: number,
  alarm: { readonly id: string; readonly start: number },
): AlarmRecord {
  const { zipcode, metric_name, threshold_value, operator, duration_minutes } = watch;
  const record = {
    type,
    zipcode,
    city: reading.city ?? '',
    metric: metric_name,
    value,
    threshold: threshold_value,
    operator,
    duration_minutes,
    start_time: isoOf(alarm.start),
    alarm_id: alarm.id,
  };
  return { key: zipcode, value: JSON.stringify(record) };
}

const isoOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
