// Writes readings to the tables of the old system: locations, raw_metrics, and the figures of hours and days.
// The figures are made of the rows that this very statement inserts, in the transaction that inserts their keys. So a
// batch that is read twice counts once, and the figures always agree with raw_metrics. Hours and days are those of UTC.
// Rows are locked in the order of their keys, so that two consumers never wait for each other in a circle.
import type { ClientBase } from 'pg';
import { numberOf, type Reading, WEATHER_FIELDS, type WeatherField } from './record.ts';
import type { ColumnFacts } from './schema.ts';

const FIELDS = Object.entries(WEATHER_FIELDS) as [WeatherField, string][];
const each = (part: (short: string, field: WeatherField) => string) =>
  FIELDS.map(([field, short]) => part(short, field)).join(', ');

const LOCATIONS = `
INSERT INTO locations AS known (zipcode, city_name, created_at, updated_at)
SELECT zipcode, city, now(), now() FROM unnest($1::text[], $2::text[]) AS new (zipcode, city) ORDER BY zipcode
ON CONFLICT (zipcode) DO UPDATE SET city_name = excluded.city_name, updated_at = excluded.updated_at
WHERE known.city_name IS DISTINCT FROM excluded.city_name AND excluded.city_name <> ''`;

/** An hour that the old system began goes on from its average: we have no sums of it. */
const OLD_HOURS = `
INSERT INTO sluice_hourly_sums (zipcode, hour, samples, ${each((short) => `${short}_sum, ${short}_count`)})
SELECT zipcode, hour_timestamp, sample_count,
  ${each((short) => `coalesce(avg_${short} * sample_count, 0), CASE WHEN avg_${short} IS NULL THEN 0 ELSE sample_count END`)}
FROM hourly_metrics
WHERE (zipcode, hour_timestamp) IN
  (SELECT DISTINCT zipcode, date_trunc('hour', time) FROM unnest($1::text[], $2::timestamptz[]) AS new (zipcode, time))
ORDER BY zipcode, hour_timestamp
ON CONFLICT DO NOTHING`;

const READINGS = `
WITH stored AS (
  INSERT INTO raw_metrics (zipcode, timestamp, received_at, wind_direction, ${each((_, field) => field)})
  SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[],
    ${FIELDS.map((_, index) => `$${index + 5}::numeric[]`).join(', ')})
  ON CONFLICT DO NOTHING
  RETURNING zipcode, timestamp, ${each((_, field) => field)}
), days AS (
  INSERT INTO daily_summary AS day (zipcode, date, ${each((short) => `min_${short}, max_${short}`)})
  SELECT zipcode, timestamp::date, ${each((_, field) => `min(${field}), max(${field})`)}
  FROM stored GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (zipcode, date) DO UPDATE SET
    ${each(
      (short) => `min_${short} = least(day.min_${short}, excluded.min_${short}),
    max_${short} = greatest(day.max_${short}, excluded.max_${short})`,
    )}
), hours AS (
  INSERT INTO sluice_hourly_sums AS sums (zipcode, hour, samples, ${each((short) => `${short}_sum, ${short}_count`)})
  SELECT zipcode, date_trunc('hour', timestamp), count(*), ${each((_, field) => `coalesce(sum(${field}), 0), count(${field})`)}
  FROM stored GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (zipcode, hour) DO UPDATE SET
    samples = sums.samples + excluded.samples,
    ${each(
      (short) => `${short}_sum = sums.${short}_sum + excluded.${short}_sum,
    ${short}_count = sums.${short}_count + excluded.${short}_count`,
    )}
  RETURNING *
)
INSERT INTO hourly_metrics (zipcode, hour_timestamp, sample_count, ${each((short) => `avg_${short}`)})
SELECT zipcode, hour, samples, ${each((short) => `round(${short}_sum / nullif(${short}_count, 0), 2)`)}
FROM hours ORDER BY zipcode, hour
ON CONFLICT (zipcode, hour_timestamp) DO UPDATE SET
  sample_count = excluded.sample_count, ${each((short) => `avg_${short} = excluded.avg_${short}`)}`;

/** @param readings that have just been inserted for the first time, with a zipcode and a time */
export async function writeFigures(
  client: ClientBase,
  readings: readonly Reading[],
  facts: ColumnFacts,
): Promise<void> {
  const cities = new Map<string, string>();
  for (const { zipcode, city } of readings)
    if (zipcode !== null && (city !== null || !cities.has(zipcode)))
      cities.set(zipcode, [...(city ?? '')].slice(0, facts.cityCharacters).join(''));
  await client.query(LOCATIONS, [[...cities.keys()], [...cities.values()]]);

  const zipcodes = readings.map(({ zipcode }) => zipcode);
  const times = readings.map(({ measuredAt }) => measuredAt);
  await client.query(OLD_HOURS, [zipcodes, times]);
  await client.query(READINGS, [
    zipcodes,
    times,
    readings.map(({ receivedAt }) => receivedAt),
    readings.map(({ data }) => directionOf(data.wind_direction) ?? facts.missingDirection),
    ...FIELDS.map(([field]) =>
      readings.map(({ data }) => numberOf(data[field], facts.limits[field]) ?? facts.missing[field]),
    ),
  ]);
}

const MAX_DIRECTION_CHARACTERS = 3;

function directionOf(value: unknown): string | null {
  if (typeof value !== 'string' || [...value].length > MAX_DIRECTION_CHARACTERS || value.includes('\0'))
    return null;
  return value;
}
