// Faults that delete the topic and create it again with another number of partitions, while readings are on disk, in
// memory and in flight. Kafka deletes what it had; everything else must be in the new topic, once and in order.
import { setTimeout as sleep } from 'node:timers/promises';
import { type DeletedTopic, deleteAndKeep } from './deleted-topic.ts';
import { cutOff, type Fault, mark, type Outcome, recovered, spooledBeyond, spooling } from './fault.ts';
import { lookAtPlacing } from './spool-looks.ts';
import type { Stage } from './stage.ts';
import { spoolMuch } from './unplaced-faults.ts';

interface Recreation {
  readonly from: number;
  /** Numbers of partitions, in turn. */
  readonly to: readonly number[];
  /** `kill -9` after each creation. */
  readonly kills?: boolean;
  readonly brokers?: 3;
}

/** The state of the gateway when the topic is deleted. */
const MOMENTS = ['in an outage', 'under load', 'while the spool drains'] as const;
const SPOOLED_RECORDS = 1_500;
/** Less than the 5 s after which the gateway itself creates the topic. */
const BACK_WITHIN_MS = 4_000;
/** Slow enough that a drain does not end before the topic is deleted. */
const DRAIN_DELAY_MS = 20;
/** Short enough for the topic to be deleted again while the gateway still works on the last change. */
const MAX_APART_MS = 2_000;
const MAX_BEFORE_KILL_MS = 400;
const MAX_INTO_CHANGE_MS = 5;
/** Larger than the log of the first partition, smaller than twice that. */
const CHUNKS = 2;
/** Fewer partitions need several answers in a row, and a killed gateway has to start again. */
const BACK_MS = 15_000;

export const RECREATE_FAULTS: readonly Fault[] = [
  recreation('topic-fewer', { from: 10, to: [4] }),
  recreation('topic-more', { from: 4, to: [10] }),
  recreation('topic-fewer-more', { from: 10, to: [4, 7] }),
  recreation('topic-fewer-three-brokers', { from: 10, to: [4], brokers: 3 }),
  recreation('topic-fewer-kill', { from: 10, to: [4], kills: true }),
  recreation('topic-fewer-more-kill', { from: 10, to: [4, 7], kills: true }),
  {
    ...recreation('topic-fewer-more-while-placing', { from: 4, to: [] }),
    apply: (stage) => changeWhilePlacing(stage, { from: 4, to: [1, 3] }),
  },
];

function recreation(name: string, change: Recreation): Fault {
  return {
    name,
    brokers: change.brokers ?? 1,
    alone: true,
    mayOvertake: true,
    env: { KAFKA_NUM_PARTITIONS: String(change.from) },
    prepare: (stage) => stage.createTopic(change.from),
    apply: (stage) => recreate(stage, change),
  };
}

async function recreate(stage: Stage, { from, to, kills = false }: Recreation): Promise<Outcome> {
  const { gateway, random } = stage;
  await stage.flows();
  await stage.caughtUp();
  const seen: string[] = [];
  let before = from;
  for (const partitions of to) {
    if (seen.length > 0) await sleep(random.between(0, MAX_APART_MS));
    seen.push(await recreateOnce(stage, { before, partitions, kills }));
    before = partitions;
  }
  const back = await recovered(stage, BACK_MS);
  const { partitions } = gateway.stats.kafka;
  const wrong = partitions === before ? [] : [`the gateway takes ${partitions} partitions for ${before}`];
  return { ...back, bite: seen.join(', then '), wrong };
}

async function recreateOnce(
  stage: Stage,
  { before, partitions, kills }: { before: number; partitions: number; kills: boolean },
): Promise<string> {
  const { gateway, proxies, random } = stage;
  const moment = random.pick(MOMENTS);
  if (moment !== 'under load') await outage(stage);
  if (moment === 'while the spool drains') await drainSlowly(stage);
  const marked = mark(stage);
  const { spooled, inFlight, open } = gateway.stats.records;
  const readDeleted = await deleteAndKeep(stage, before);
  // Batches in flight fail and go to the disk.
  if (moment === 'under load') await spooling(stage, marked, BACK_WITHIN_MS);
  await stage.createTopicAgain(partitions);
  const killed = kills ? `, ${await killAround(stage, partitions)}` : '';
  for (const proxy of proxies) await proxy.heal();
  const held: DeletedTopic = await readDeleted();
  stage.deleted.push(held);
  const waiting = `${spooled} records on disk and ${inFlight + open} in memory`;
  return `${before} to ${partitions} ${moment}: ${waiting}, ${held.length} deleted${killed}`;
}

/**
 * Kills the gateway while it places the records of removed partitions, and changes the number of partitions before the
 * next start. By then some records of a key are placed for the former number.
 */
async function changeWhilePlacing(
  stage: Stage,
  { from, to: [fewer, more] }: { from: number; to: readonly [number, number] },
): Promise<Outcome> {
  const { gateway, proxies } = stage;
  await stage.flows();
  await stage.caughtUp();
  await cutOff(stage);
  await spoolMuch(stage);
  const { spooled } = gateway.stats.records;
  const readFirst = await deleteAndKeep(stage, from);
  await stage.createTopicAgain(fewer);
  stage.deleted.push(await readFirst());
  for (const proxy of proxies) await proxy.accept();
  await killBetweenChunks(stage);
  const readSecond = await deleteAndKeep(stage, fewer);
  await stage.createTopicAgain(more);
  stage.deleted.push(await readSecond());
  await gateway.start();
  const bite = `${from} to ${fewer} with ${spooled} records on disk, killed while some of them were placed, ${more} at the next start`;
  return { ...(await recovered(stage, BACK_MS)), bite };
}

/** Kills the gateway when only a part of the chunks is placed. */
async function killBetweenChunks(stage: Stage): Promise<void> {
  const { gateway, spoolDirectory, topic } = stage;
  const plans = new Set<string>();
  const isAmongChunks = () => {
    const { plan } = lookAtPlacing(spoolDirectory, topic);
    if (plan !== undefined) plans.add(plan);
    return plans.size >= CHUNKS;
  };
  await stage.wait('some chunks are placed', isAmongChunks);
  await gateway.kill();
  const { plan, sourceBytes } = lookAtPlacing(spoolDirectory, topic);
  if (plan === undefined || sourceBytes === 0) throw new Error('all was placed before the kill');
}

async function outage(stage: Stage): Promise<void> {
  await cutOff(stage);
  await spooledBeyond(stage, SPOOLED_RECORDS);
}

/** Resolves when some of the spool is in Kafka and most of it is not. */
async function drainSlowly(stage: Stage): Promise<void> {
  const { gateway, proxies } = stage;
  const { confirmed } = gateway.stats.records;
  for (const proxy of proxies) {
    proxy.delayMs = DRAIN_DELAY_MS;
    await proxy.accept();
  }
  await stage.wait('the spool drains', () => gateway.stats.records.confirmed > confirmed);
}

/** Kills the gateway before it learns the new number of partitions, or during one of the steps after that. */
async function killAround(stage: Stage, partitions: number): Promise<string> {
  const { gateway, proxies, random, spoolDirectory, topic } = stage;
  const step = random.pick(['before', 'unplaced', 'gone'] as const);
  const isBefore = step === 'before';
  if (!isBefore) {
    for (const proxy of proxies) await proxy.heal();
    const isReached = () => {
      const { sourceBytes, goneBytes } = lookAtPlacing(spoolDirectory, topic);
      if ((step === 'gone' ? goneBytes : sourceBytes) > 0) return true;
      // There may have been no record to place.
      return gateway.stats.kafka.partitions === partitions && gateway.stats.spool.partitions === 0;
    };
    await stage.wait('the gateway changes to the partitions', isReached, BACK_MS);
  }
  await sleep(random.between(0, isBefore ? MAX_BEFORE_KILL_MS : MAX_INTO_CHANGE_MS));
  await gateway.kill();
  const { sourceBytes, goneBytes } = lookAtPlacing(spoolDirectory, topic);
  await gateway.start();
  return isBefore
    ? 'killed before the change'
    : `killed in it with ${sourceBytes} bytes to place, ${goneBytes} of them of partitions that are gone`;
}
