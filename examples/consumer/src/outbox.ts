// Sends alarm records from the outbox to Kafka, each once, in their order.
// One process of all has the lock in PostgreSQL and sends. It gives the next records a number, then sends them in one Kafka
// transaction that also sets the "offset" of the group GROUP-alarms to that number, and then deletes them. After a kill
// anywhere in between, the number in Kafka says whether the records are there. A process that lost the lock without
// noticing cannot finish a transaction any more, because its successor has begun one under the same transactional id.
import { setTimeout as pause } from 'node:timers/promises';
import type kafkajs from 'kafkajs';
import pg from 'pg';
import { log, reasonOf } from './log.ts';
import type { Settings } from './settings.ts';

const MAX_RECORDS = 500;
const POLL_MS = 500;
/** How often the others ask whether the sender is gone. */
const WAIT_FOR_LOCK_MS = 1_000;
const RETRY_MS = 2_000;
/** Kafka ends a transaction by itself if its sender is gone and nobody takes over. */
const TRANSACTION_TIMEOUT_MS = 30_000;

export interface Outbox {
  problem: string | undefined;
  /** Alarm records sent since the start. */
  sent: number;
}

export interface OutboxOptions {
  readonly kafka: kafkajs.Kafka;
  readonly settings: Settings;
  readonly outbox: Outbox;
  readonly signal: AbortSignal;
}

/** Runs until the signal. */
export async function sendAlarms(options: OutboxOptions): Promise<void> {
  const { outbox, signal } = options;
  while (!signal.aborted) {
    try {
      await sendUntilItFails(options);
    } catch (error) {
      if (signal.aborted) return;
      if (outbox.problem === undefined)
        log.warn('Alarm records cannot be sent. They wait in PostgreSQL.', { reason: reasonOf(error) });
      outbox.problem = reasonOf(error);
      await pause(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

async function sendUntilItFails({ kafka, settings, outbox, signal }: OutboxOptions): Promise<void> {
  // Everything here is done on the connection that has the lock. If it breaks, the lock is gone, and so is the connection.
  const client = new pg.Client({
    connectionString: settings.databaseUrl,
    connectionTimeoutMillis: 10_000,
    query_timeout: 30_000,
    keepAlive: true,
    application_name: `${settings.group} alarms`,
  });
  client.on('error', () => {});
  await client.connect();
  try {
    while (!(await hasLock(client))) {
      outbox.problem = undefined;
      await pause(WAIT_FOR_LOCK_MS, undefined, { signal });
    }
    const sender = new AlarmSender(kafka, settings);
    try {
      let number = await sender.begin();
      await client.query('DELETE FROM sluice_alarm_outbox WHERE send_number <= $1', [number]);
      await client.query('UPDATE sluice_alarm_outbox SET send_number = NULL WHERE send_number IS NOT NULL');
      if (outbox.problem !== undefined) log.info('Alarm records are sent again.');
      outbox.problem = undefined;
      for (;;) {
        const { rows } = await client.query<{ id: string; key: string; value: string }>(
          'SELECT id, key, value FROM sluice_alarm_outbox ORDER BY id LIMIT $1',
          [MAX_RECORDS],
        );
        if (rows.length === 0) {
          await pause(POLL_MS, undefined, { signal });
          continue;
        }
        number++;
        const ids = rows.map(({ id }) => id);
        await client.query('UPDATE sluice_alarm_outbox SET send_number = $1 WHERE id = ANY($2)', [
          number,
          ids,
        ]);
        await sender.send(rows, number);
        await client.query('DELETE FROM sluice_alarm_outbox WHERE send_number = $1', [number]);
        outbox.sent += rows.length;
      }
    } finally {
      await sender.end();
    }
  } finally {
    await client.end().catch(() => {});
  }
}

/** One lock for the database, as there is one outbox: also a consumer of another group must not send at the same time. */
async function hasLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    "SELECT pg_try_advisory_lock(hashtext('sluice_alarm_outbox')) AS locked",
  );
  return rows[0]?.locked === true;
}

/** The transactional producer, and the group whose offset is the number of the last transaction. */
class AlarmSender {
  readonly #kafka: kafkajs.Kafka;
  readonly #topic: string;
  readonly #group: string;
  readonly #producer: kafkajs.Producer;

  constructor(kafka: kafkajs.Kafka, { alarmsTopic, group }: Settings) {
    this.#kafka = kafka;
    this.#topic = alarmsTopic;
    this.#group = `${group}-alarms`;
    this.#producer = kafka.producer({
      transactionalId: this.#group,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: TRANSACTION_TIMEOUT_MS,
      allowAutoTopicCreation: false,
    });
  }

  /** Ends what a former sender has begun. @returns the number of the last transaction that Kafka has */
  async begin(): Promise<number> {
    await this.#producer.connect();
    const transaction = await this.#producer.transaction();
    await transaction.abort();
    const admin = this.#kafka.admin();
    await admin.connect();
    try {
      const groups = await admin.fetchOffsets({ groupId: this.#group, topics: [this.#topic] });
      const offset = groups[0]?.partitions.find(({ partition }) => partition === 0)?.offset ?? '-1';
      return Math.max(0, Number(offset));
    } finally {
      await admin.disconnect().catch(() => {});
    }
  }

  async send(
    records: readonly { readonly key: string; readonly value: string }[],
    number: number,
  ): Promise<void> {
    const transaction = await this.#producer.transaction();
    const messages = records.map(({ key, value }) => ({ key, value }));
    await transaction.send({ topic: this.#topic, messages, acks: -1 });
    const partitions = [{ partition: 0, offset: String(number) }];
    await transaction.sendOffsets({
      consumerGroupId: this.#group,
      topics: [{ topic: this.#topic, partitions }],
    });
    await transaction.commit();
  }

  async end(): Promise<void> {
    await this.#producer.disconnect().catch(() => {});
  }
}
