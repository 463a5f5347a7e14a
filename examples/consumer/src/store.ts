// Stores batches in PostgreSQL: one transaction for each, and each reading once.
// Kafka hands out records at least once: after a kill or a rebalance the last ones come again. The key of sluice_readings
// makes that harmless. Its insert says which readings are new, and everything else (old tables, figures, alarms, outbox)
// is made of those alone, in the same transaction. The offset is committed to Kafka afterwards (read.ts).
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { judge } from './alarms.ts';
import { writeFigures } from './figures.ts';
import { log, reasonOf } from './log.ts';
import { type Decoded, decode, type Reading, type SourceRecord } from './record.ts';
import { type ColumnFacts, migrate, SchemaError } from './schema.ts';
import type { Settings } from './settings.ts';

/** What has been done since the start. */
export interface Counts {
  stored: number;
  /** Readings that were stored already. */
  copies: number;
  rejected: number;
  /** Stored readings that are not in the old tables, by reason. */
  readonly skipped: Record<string, number>;
  alarmRecords: number;
}

const RETRY_MS = { first: 200, longest: 10_000 } as const;
/** A database that does not answer looks like one that is away. The transaction ends there when its connection does. */
const QUERY_TIMEOUT_MS = 60_000;
const LOG_FAILURE_EVERY_MS = 10_000;
/** The classes of SQLSTATE that one record can cause: its data, a constraint of an old table, a limit of the program. */
const CAUSED_BY_A_RECORD = /^(?:22|23|54)/;
/** In the order of the keys, so that two consumers with copies never wait for each other in a circle. */
const INSERT_READINGS = `
INSERT INTO sluice_readings (source, number, part, connection_id, device_id, seq, zipcode, city, received_at, measured_at,
  tags, data, skipped, partition, "offset")
SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
  $9::timestamptz[], $10::timestamptz[], $11::json[], $12::json[], $13::text[], $14::integer[], $15::bigint[])
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
RETURNING "offset"`;
const INSERT_REJECTED = `
INSERT INTO sluice_rejected (topic, partition, "offset", record_time, reason, value)
SELECT topic, partition, "offset", to_timestamp(at / 1000), reason, value
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::float8[], $5::text[], $6::bytea[])
  AS new (topic, partition, "offset", at, reason, value)
ON CONFLICT DO NOTHING`;

/** Records of one partition, in their order. */
export type RecordBatch = readonly SourceRecord[];

export class Store {
  readonly counts: Counts = { stored: 0, copies: 0, rejected: 0, skipped: {}, alarmRecords: 0 };
  readonly pool: pg.Pool;
  readonly #settings: Settings;
  #facts: ColumnFacts | undefined;
  /** Undefined while PostgreSQL takes batches. */
  #problem: string | undefined;
  #toldAt = 0;

  /** @param connections how many batches are stored at the same time */
  constructor(settings: Settings, connections: number) {
    this.#settings = settings;
    this.pool = new pg.Pool({
      connectionString: settings.databaseUrl,
      max: connections,
      connectionTimeoutMillis: 10_000,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
      application_name: settings.group,
    });
    // A connection may break between two statements of a batch. Nobody else would listen then, and the process would end.
    // The next statement fails, and the batch is stored again.
    this.pool.on('connect', (client) => client.on('error', () => {}));
    // A connection that breaks while nobody uses it. The next batch gets another one.
    this.pool.on('error', (error) =>
      log.warn('An idle connection to PostgreSQL broke.', { reason: reasonOf(error) }),
    );
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Makes the tables. Waits until PostgreSQL is there. @throws SchemaError, or an abort */
  async prepare(signal: AbortSignal): Promise<void> {
    this.#facts = await this.#untilDone(signal, async () => {
      const client = await this.pool.connect();
      try {
        return await migrate(client);
      } finally {
        client.release();
      }
    });
  }

  /** Returns when all records are in PostgreSQL, however long it is away. @throws an abort: then nothing is certain */
  async store(batch: RecordBatch, signal: AbortSignal): Promise<void> {
    const decoded = batch.map((record) => decode(record, this.#settings));
    await this.#storeOrSplit(decoded, signal);
  }

  async #storeOrSplit(decoded: readonly Decoded[], signal: AbortSignal): Promise<void> {
    const refused = await this.#untilDone(signal, () => this.#inTransaction(decoded));
    if (refused === undefined) return;
    const [first] = decoded;
    if (first === undefined) return;
    // PostgreSQL refuses a record that we took for good, perhaps for a constraint of an old table. Halving the batch finds
    // it, so that it holds up nothing.
    if (decoded.length > 1) {
      const half = decoded.length >> 1;
      await this.#storeOrSplit(decoded.slice(0, half), signal);
      await this.#storeOrSplit(decoded.slice(half), signal);
      return;
    }
    const record = first.kind === 'reading' ? first.reading.record : first.record;
    const { topic, partition, offset } = record;
    log.warn('PostgreSQL refuses a record. It is kept in sluice_rejected.', {
      topic,
      partition,
      offset,
      reason: refused,
    });
    await this.#untilDone(signal, () =>
      insertRejected(this.pool, [{ record, reason: `postgres: ${refused}` }]),
    );
    this.counts.rejected++;
  }

  /** @returns why PostgreSQL refuses a record of the batch, if it does. @throws if PostgreSQL or the network fails */
  async #inTransaction(decoded: readonly Decoded[]): Promise<string | undefined> {
    const client = await this.pool.connect();
    let isUsable = true;
    try {
      // Hours and days are those of UTC, also in old tables whose times have no zone.
      await client.query("BEGIN; SET LOCAL TIME ZONE 'UTC'");
      const count = await this.#write(client, decoded);
      await client.query('COMMIT');
      count();
      return undefined;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {
        isUsable = false;
      });
      if (error instanceof pg.DatabaseError && CAUSED_BY_A_RECORD.test(error.code ?? ''))
        return reasonOf(error);
      throw error;
    } finally {
      // A connection that may still be in a transaction is closed.
      client.release(!isUsable);
    }
  }

  /** @returns counts the batch. To be called once it is committed */
  async #write(client: pg.PoolClient, decoded: readonly Decoded[]): Promise<() => void> {
    const facts = this.#facts;
    if (facts === undefined) throw new Error('store() before prepare()');
    const rejected = decoded.flatMap((one) => (one.kind === 'rejected' ? [one] : []));
    if (rejected.length > 0) await insertRejected(client, rejected);
    const readings = decoded.flatMap((one) => (one.kind === 'reading' ? [one.reading] : []));
    const inserted = readings.length === 0 ? [] : await insertReadings(client, readings);
    const weather = inserted.filter(({ skipped }) => skipped === null);
    let alarmRecords = 0;
    if (weather.length > 0) {
      await writeFigures(client, weather, facts);
      alarmRecords = await judge(client, weather, facts);
    }
    return () => {
      const { counts } = this;
      counts.stored += inserted.length;
      counts.copies += readings.length - inserted.length;
      counts.rejected += rejected.length;
      counts.alarmRecords += alarmRecords;
      for (const { skipped } of inserted)
        if (skipped !== null) counts.skipped[skipped] = (counts.skipped[skipped] ?? 0) + 1;
    };
  }

  /** Tries again, with a longer wait each time, until it works. @throws SchemaError, or an abort */
  async #untilDone<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (let waitMs: number = RETRY_MS.first; ; waitMs = Math.min(2 * waitMs, RETRY_MS.longest)) {
      signal.throwIfAborted();
      try {
        const result = await work();
        this.#recovered();
        return result;
      } catch (error) {
        if (error instanceof SchemaError) throw error;
        this.#failed(error);
      }
      await pause(waitMs * (0.5 + Math.random() / 2), undefined, { signal });
    }
  }

  #failed(error: unknown): void {
    const reason = reasonOf(error);
    // An outage is told at its beginning and then now and then, not for each try of each partition.
    const now = performance.now();
    if (this.#problem === undefined || now - this.#toldAt > LOG_FAILURE_EVERY_MS) {
      this.#toldAt = now;
      log.warn('PostgreSQL does not take readings. They wait in Kafka, and nothing is lost.', { reason });
    }
    this.#problem = reason;
  }

  #recovered(): void {
    if (this.#problem !== undefined) log.info('PostgreSQL takes readings again.');
    this.#problem = undefined;
  }
}

/** @returns the readings that were not there before */
async function insertReadings(client: pg.PoolClient, readings: readonly Reading[]): Promise<Reading[]> {
  const { rows } = await client.query<{ offset: string }>(INSERT_READINGS, [
    readings.map(({ key }) => key.source),
    readings.map(({ key }) => key.number),
    readings.map(({ key }) => key.part),
    readings.map(({ connectionId }) => connectionId),
    readings.map(({ deviceId }) => deviceId),
    readings.map(({ seq }) => seq),
    readings.map(({ zipcode }) => zipcode),
    readings.map(({ city }) => city),
    readings.map(({ receivedAt }) => receivedAt),
    readings.map(({ measuredAt }) => measuredAt),
    readings.map(({ tagsText }) => tagsText),
    readings.map(({ dataText }) => dataText),
    readings.map(({ skipped }) => skipped),
    readings.map(({ record }) => record.partition),
    readings.map(({ record }) => record.offset),
  ]);
  const isNew = new Set(rows.map(({ offset }) => offset));
  return readings.filter(({ record }) => isNew.has(record.offset));
}

async function insertRejected(
  client: pg.Pool | pg.PoolClient,
  rejected: readonly { readonly record: SourceRecord; readonly reason: string }[],
): Promise<void> {
  const records = rejected.map(({ record }) => record);
  await client.query(INSERT_REJECTED, [
    records.map(({ topic }) => topic),
    records.map(({ partition }) => partition),
    records.map(({ offset }) => offset),
    records.map(({ at }) => at),
    rejected.map(({ reason }) => reason),
    records.map(({ value }) => value),
  ]);
}
