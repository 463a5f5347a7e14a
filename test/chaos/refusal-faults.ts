// Faults in which Kafka refuses records until somebody changes something: a clock, a topic's limit, a topic's policy.
// Each round ends with that change, and then all records must arrive. Until then the gateway must keep the records,
// tell devices `stored`, give up none of them and say why they wait.
import { setTimeout as sleep } from 'node:timers/promises';
import { createTopic } from '../../scripts/kafka/client.ts';
import { alterConfig } from '../../scripts/kafka/java-tools.ts';
import { troublesOf } from '../support/health.ts';
import { FakeClock } from './faketime.ts';
import { configure, cutOff, type Fault, type Outcome, recovered, spooling, terminated } from './fault.ts';
import type { Stage } from './stage.ts';

const TIMESTAMP = /INVALID_TIMESTAMP|timestamp/i;
const REFUSED_MS = 5_000;
/** A held partition is tried only every few seconds. */
const HELD_BACK_MS = 30_000;
/** Older records are refused. Without an outage no record is nearly as old. */
const TOO_OLD_MS = 4_000;
const OUTAGE_MS = 3 * TOO_OLD_MS;
const SMALL_TOPIC_BYTES = 8_192;
const LARGE_READING_BYTES = 20_000;
const DAY_MS = 86_400_000;
/** The topic's setting. The broker's has the prefix `log.`. */
const AGE_LIMIT = 'message.timestamp.before.max.ms';

const clocks = new WeakMap<Stage, FakeClock>();

export const REFUSAL_FAULTS: readonly Fault[] = [
  { name: 'clock-ahead', brokers: 1, alone: true, prepare: clockHoursAhead, apply: clockAhead },
  { name: 'clock-ahead-sent', brokers: 1, alone: true, prepare: clockHoursAhead, apply: clockAheadSent },
  { name: 'clock-behind', brokers: 1, alone: true, prepare: clockYearsBehind, apply: clockBehind },
  { name: 'outage-beyond-topic-limit', brokers: 1, alone: true, apply: outageBeyondTopicLimit },
  { name: 'outage-beyond-broker-limit', brokers: 1, alone: true, apply: outageBeyondBrokerLimit },
  {
    name: 'dead-letters-refused',
    brokers: 1,
    alone: true,
    refuses: true,
    env: { KAFKA_REQUEST_TIMEOUT: '3s' },
    apply: refuseDeadLetters,
  },
];

async function wrongClock(stage: Stage, offset: string): Promise<void> {
  const clock = new FakeClock(stage.directory, offset);
  clocks.set(stage, clock);
  stage.env = clock.env;
  await stage.createTopic();
}

function clockHoursAhead(stage: Stage): Promise<void> {
  return wrongClock(stage, '+2h');
}

/** Sets the clock back three years. With the usual retention Kafka would delete such records by their time. */
async function clockYearsBehind(stage: Stage): Promise<void> {
  await wrongClock(stage, '-3y');
  await configure(stage, { setting: 'retention.ms', value: -1 });
}

function clockOf(stage: Stage): FakeClock {
  const clock = clocks.get(stage);
  if (clock === undefined) throw new Error('the clock was not prepared');
  return clock;
}

/** Kafka refuses timestamps more than an hour ahead, until the topic's limit is changed. */
async function clockAhead(stage: Stage): Promise<Outcome> {
  return heldUntil(stage, async () => {
    clockOf(stage).putRight();
    await configure(stage, { setting: 'message.timestamp.after.max.ms', value: DAY_MS });
  });
}

/** The same, but the remedy is a setting of the gateway: batches carry the time of sending. */
async function clockAheadSent(stage: Stage): Promise<Outcome> {
  return heldUntil(stage, async () => {
    clockOf(stage).putRight();
    await terminated(stage, 0);
    await stage.gateway.start({ ...stage.env, KAFKA_TIMESTAMP: 'sent' });
  });
}

/** Timestamps years behind are refused only if the topic has a limit. */
async function clockBehind(stage: Stage): Promise<Outcome> {
  await stage.flows();
  await stage.caughtUp();
  await configure(stage, { setting: AGE_LIMIT, value: DAY_MS });
  return heldUntil(stage, async () => {
    clockOf(stage).putRight();
    await configure(stage, { setting: AGE_LIMIT });
  });
}

async function outageBeyondTopicLimit(stage: Stage): Promise<Outcome> {
  await configure(stage, { setting: AGE_LIMIT, value: TOO_OLD_MS });
  await longOutage(stage);
  return heldUntil(stage, () => configure(stage, { setting: AGE_LIMIT }));
}

async function outageBeyondBrokerLimit(stage: Stage): Promise<Outcome> {
  const { bootstrap, kafka } = stage;
  const broker = { type: 'brokers', name: String(kafka.brokers[0]?.id) } as const;
  const limit = `log.${AGE_LIMIT}`;
  let isLimited = true;
  await alterConfig(bootstrap, broker, { set: { [limit]: String(TOO_OLD_MS) } });
  const unlimit = async () => {
    if (isLimited) await alterConfig(bootstrap, broker, { remove: [limit] });
    isLimited = false;
  };
  try {
    await longOutage(stage);
    return await heldUntil(stage, unlimit);
  } finally {
    // The next round uses the same broker.
    await unlimit();
  }
}

/** Kafka is away for longer than its limit on the age of records. */
async function longOutage(stage: Stage): Promise<void> {
  await cutOff(stage);
  await spooling(stage);
  await sleep(OUTAGE_MS);
  for (const proxy of stage.proxies) await proxy.accept();
}

/** Records are refused for their time. They must be kept, and the reason shown, until `remedy` is applied. */
async function heldUntil(stage: Stage, remedy: () => Promise<void>): Promise<Outcome> {
  const { gateway, ledger } = stage;
  const logged = gateway.log.length;
  const wrong: string[] = [];
  await stage.wait(
    'Kafka refuses',
    () => gateway.said(TIMESTAMP, logged) || gateway.stats.records.deadLettered > 0 || ledger.refused > 0,
  );
  const { confirmed } = ledger;
  const from = performance.now();
  const isShown = () => TIMESTAMP.test(troublesOf(gateway.stats));
  let shown = false;
  await stage.wait('it is refused for a while', () => {
    shown ||= isShown();
    return performance.now() - from > REFUSED_MS;
  });
  if (!shown) wrong.push(`health does not say why: ${troublesOf(gateway.stats)}`);
  const told = ledger.confirmed - confirmed;
  if (told === 0) wrong.push('devices heard no `stored` meanwhile, although the disk is fine');
  // A restart begins to count again.
  const before = gateway.stats.records.deadLettered;
  await remedy();
  const { tookMs, drainedMs } = await recovered(stage, HELD_BACK_MS);
  const lost = Math.max(before, gateway.stats.records.deadLettered);
  if (lost > 0) wrong.push(`${lost} records were given up for a reason that was not theirs`);
  if (ledger.refused > 0) wrong.push(`${ledger.refused} readings were refused for it`);
  const bite = `${told} readings told stored while Kafka refused them, ${lost} given up`;
  return { bite, tookMs, limitMs: HELD_BACK_MS, drainedMs, wrong };
}

/**
 * The topic refuses records for good, and the dead-letter topic refuses their letters, because letters have no key. No
 * letter may be lost, not even by a restart, and none may count as sent before Kafka has it.
 */
async function refuseDeadLetters(stage: Stage): Promise<Outcome> {
  const { gateway, ledger, fleet, bootstrap, deadTopic } = stage;
  // The gateway creates it too, if it is first.
  await createTopic(bootstrap, deadTopic, { partitions: 3 }).catch(() => undefined);
  await configure(stage, { topic: deadTopic, setting: 'cleanup.policy', value: 'compact' });
  await configure(stage, { setting: 'max.message.bytes', value: SMALL_TOPIC_BYTES });
  const { sent } = gateway.stats.deadLetters;
  fleet.sendLarge(LARGE_READING_BYTES);
  await stage.wait('records are refused', () => gateway.stats.records.deadLettered + ledger.refused > 0);
  await sleep(REFUSED_MS);
  const wrong: string[] = [];
  const falselySent = gateway.stats.deadLetters.sent - sent;
  if (falselySent > 0) wrong.push(`${falselySent} letters count as sent, and Kafka refuses all of them`);
  const { deadLettered } = gateway.stats.records;
  const { tookMs } = await terminated(stage, 0);
  await gateway.start();
  await configure(stage, { topic: deadTopic, setting: 'cleanup.policy', value: 'delete' });
  await configure(stage, { setting: 'max.message.bytes' });
  await stage.flows(50);
  await stage
    .wait('letters are sent', () => gateway.stats.deadLetters.sent > 0, HELD_BACK_MS)
    .catch(() => wrong.push(`no letter was sent in ${HELD_BACK_MS} ms after the topic took letters again`));
  const { drainedMs } = await recovered(stage);
  const bite = `${deadLettered} records refused, their letters as well; exit 0 after ${Math.round(tookMs)} ms`;
  return { bite, drainedMs, wrong };
}
