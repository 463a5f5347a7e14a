// The example consumer under load, between a real gateway, Kafka and PostgreSQL: it is killed, gets a colleague that leaves
// again, and loses its database. No row and no alarm record may be missing or twice.
// CONSUMER_ROUNDS=10 npm test -- examples/consumer/kills does all that ten times.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { ConsumerProcess } from '../../support/consumer.ts';
import { Device } from '../../support/device.ts';
import { startGateway } from '../../support/gateway.ts';
import { createTopic, kafkaTest, readTopic, uniqueTopic } from '../../support/kafka.ts';
import { hasPostgres, Postgres } from '../../support/postgres.ts';
import { noteAlarms } from '../../support/traffic/records.ts';
import { waitFor } from '../../support/wait.ts';

const ROUNDS = Number(process.env.CONSUMER_ROUNDS ?? 1);
const DEVICES = 8;
const MESSAGES_PER_ROUND = 1_500;
const SENT_AGAIN = 100;
/** Of these readings, those of 30 degrees and more break the threshold. */
const HEAT = { threshold: 30, period: 500 } as const;
/** A dead member leaves its group after 10 s, and a busy machine needs some more. */
const DEADLINE_MS = 60_000;

/** One device a zipcode. Every tenth message is an array of two, every seventh reading comes without a seq. */
class Fleet {
  readonly #port: number;
  readonly #startMs = Date.now() - 3_600_000;
  /** Readings of each device so far. */
  #sent = 0;

  constructor(port: number) {
    this.#port = port;
  }

  get readings(): number {
    return this.#sent * DEVICES;
  }

  /** The types of the alarm records of each zipcode, in their order. */
  get alarms(): string[] {
    const heats = Array.from({ length: this.#sent }, (_, n) => this.#temperature(n) > HEAT.threshold);
    const turns = heats.filter((isHot, n) => isHot !== (heats[n - 1] ?? false));
    return turns.map((isHot) => (isHot ? 'ALARM_TRIGGERED' : 'ALARM_CLEARED'));
  }

  #temperature(n: number): number {
    return n % HEAT.period < HEAT.period / 2 ? 20 : 35.5;
  }

  #reading(n: number): object {
    const timestamp = new Date(this.#startMs + n * 10).toISOString();
    return { timestamp, temperature: this.#temperature(n), humidity: n % 100, pollen_index: (n % 7) / 4 };
  }

  async sendRound(): Promise<void> {
    const from = this.#sent;
    const messages: object[] = [];
    while (messages.length < MESSAGES_PER_ROUND) {
      const n = this.#sent++;
      if (messages.length % 10 === 9) {
        messages.push({ type: 'metrics', seq: n, data: [this.#reading(n), this.#reading(this.#sent++)] });
      } else {
        messages.push({ type: 'metrics', ...(n % 7 > 0 && { seq: n }), data: this.#reading(n) });
      }
    }
    const again = messages.filter((message) => 'seq' in message).slice(-SENT_AGAIN);
    assert.ok(this.#sent > from + MESSAGES_PER_ROUND);
    await Promise.all(
      Array.from({ length: DEVICES }, async (_, device) => {
        await this.#send(device, messages);
        // As if `stored` had been lost with the connection.
        await this.#send(device, again);
      }),
    );
  }

  async #send(device: number, messages: readonly object[]): Promise<void> {
    const connection = await Device.connect(this.#port);
    const identity = {
      zipcode: String(90_210 + device),
      city: `City ${device}`,
      device_id: `roof-${device}`,
    };
    connection.sendMessages({ type: 'identify', ...identity }, ...messages);
    connection.halfClose();
    assert.match((await connection.rest()).at(-1) ?? '', /"stored"/);
  }
}

kafkaTest('the example consumer loses and doubles nothing', async ({ bootstrap }, t) => {
  if (!hasPostgres(t)) return;
  const [topic, alarms, group] = ['t.readings', 't.alarms', 'group'].map(uniqueTopic) as [
    string,
    string,
    string,
  ];
  await createTopic(bootstrap, topic, { partitions: 4 });
  await createTopic(bootstrap, alarms, { partitions: 1 });
  const postgres = await Postgres.start(t);
  const gateway = await startGateway({
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_ALARMS: alarms,
    KAFKA_TOPIC_DEAD_LETTERS: '',
  });
  t.after(() => gateway.stop());
  const env = {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC: topic,
    KAFKA_TOPIC_ALARMS: alarms,
    KAFKA_GROUP: group,
    DATABASE_URL: postgres.url,
  };
  const start = () => new ConsumerProcess(t, env);
  const fleet = new Fleet(gateway.port);
  const rows = async () => Number(await postgres.value('SELECT count(*) FROM sluice_readings'));
  const reaches = (count: number) =>
    waitFor(`${count} rows`, async () => (await rows().catch(() => 0)) >= count, DEADLINE_MS);

  let consumer = start();
  await consumer.joined();
  await postgres.rows(`INSERT INTO alarm_thresholds (zipcode, metric_name, operator, threshold_value)
    SELECT 90210 + n, 'temperature', '>', ${HEAT.threshold} FROM generate_series(0, ${DEVICES - 1}) AS n`);
  for (let round = 0; round < ROUNDS; round++) {
    const before = fleet.readings;
    const size = DEVICES * MESSAGES_PER_ROUND;
    const sending = fleet.sendRound();
    await reaches(before + size * 0.2);
    await consumer.kill();
    consumer = start();
    await reaches(before + size * 0.4);
    const colleague = start();
    await colleague.joined();
    await postgres.stop('immediate');
    await postgres.start();
    await reaches(before + size * 0.6);
    assert.equal(await colleague.stop(), 0, colleague.log);
    await sending;
  }
  await reaches(fleet.readings);
  await assertNothingIsMissingOrTwice(postgres, fleet);
  await assertAlarms(t, { bootstrap, topic: alarms, postgres, fleet });
  assert.equal(await consumer.stop(), 0, consumer.log);
  assert.match(consumer.log, /The consumer has stopped/);
});

async function assertNothingIsMissingOrTwice(postgres: Postgres, fleet: Fleet): Promise<void> {
  const counts = await postgres.rows(`
    SELECT (SELECT count(*) FROM sluice_readings)::int AS readings, (SELECT count(*) FROM raw_metrics)::int AS raw,
      (SELECT count(DISTINCT (zipcode, timestamp)) FROM raw_metrics)::int AS different,
      (SELECT sum(sample_count) FROM hourly_metrics)::int AS samples,
      (SELECT count(*) FROM sluice_rejected)::int AS rejected`);
  const all = fleet.readings;
  assert.deepEqual(counts, [{ readings: all, raw: all, different: all, samples: all, rejected: 0 }]);
  const wrong = await postgres.rows(`
    SELECT * FROM hourly_metrics h JOIN (
      SELECT zipcode, date_trunc('hour', timestamp) AS hour_timestamp, round(avg(temperature), 2) AS temperature,
        round(avg(pollen_index), 2) AS pollen FROM raw_metrics GROUP BY 1, 2
    ) true_one USING (zipcode, hour_timestamp) WHERE avg_temp <> temperature OR avg_pollen <> pollen`);
  assert.deepEqual(wrong, []);
}

interface AlarmCheck {
  readonly bootstrap: string;
  readonly topic: string;
  readonly postgres: Postgres;
  readonly fleet: Fleet;
}

async function assertAlarms(
  t: TestContext,
  { bootstrap, topic, postgres, fleet }: AlarmCheck,
): Promise<void> {
  await waitFor(
    'the outbox is empty',
    async () => (await postgres.value('SELECT count(*)::int FROM sluice_alarm_outbox')) === 0,
    DEADLINE_MS,
  );
  noteAlarms(topic);
  const records = await readTopic(bootstrap, topic, fleet.alarms.length * DEVICES);
  const values = records.map(({ value }) => JSON.parse(String(value)) as Record<string, string>);
  for (let device = 0; device < DEVICES; device++) {
    const zipcode = String(90_210 + device);
    const own = values.filter((value) => value.zipcode === zipcode);
    assert.deepEqual(
      own.map(({ type }) => type),
      fleet.alarms,
      zipcode,
    );
    // Each alarm is raised and then cleared, under one id.
    const ids = own.map(({ alarm_id }) => alarm_id);
    for (let n = 1; n < ids.length; n += 2) assert.equal(ids[n], ids[n - 1]);
    assert.equal(new Set(ids).size, Math.ceil(ids.length / 2));
  }
  const logged = await postgres.value('SELECT count(*)::int FROM alarms_log');
  assert.equal(logged, Math.ceil(fleet.alarms.length / 2) * DEVICES);
  t.diagnostic(`${fleet.readings} readings, ${values.length} alarm records`);
}
