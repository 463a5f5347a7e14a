// Faults that kill the gateway while it places records. Kafka was away at the very first start, so the records have no
// partition and are copied into the partitions' logs in chunks. A kill counts only if it left a plan of a copy on disk
// and records that are not placed.
import { setTimeout as sleep } from 'node:timers/promises';
import { cutOff, type Fault, type Outcome, recovered, spooledBeyond } from './fault.ts';
import { lookAtPlacing } from './spool-looks.ts';
import type { Stage } from './stage.ts';

/** Enough records for a kill to hit the placing. */
const UNPLACED_RECORDS = 60_000;
const SPOOLED_MS = 60_000;
const LARGE_READINGS: readonly [number, number] = [800, 1_000];
const FLOOD_WINDOW = 20_000;
const FLOOD_BURST = 20;
const KILLS = 4;
const MAX_TRIES = 12;
const MAX_BEFORE_KILL_MS = 15;
const PLAN_MS = 30_000;
/** Partitions that the topic may get: the number in KAFKA_NUM_PARTITIONS, and others. */
const PARTITIONS: readonly number[] = [6, 3, 9];
const BACK_MS = 15_000;

export const UNPLACED_FAULTS: readonly Fault[] = [
  { name: 'kill-while-placing', brokers: 1, alone: true, prepare: cutOff, apply: killWhilePlacing },
];

async function killWhilePlacing(stage: Stage): Promise<Outcome> {
  const { gateway, proxies, random } = stage;
  await spoolMuch(stage);
  const { spooled } = gateway.stats.records;
  const partitions = random.pick(PARTITIONS);
  await stage.createTopic(partitions);
  for (const proxy of proxies) await proxy.accept();
  let [bitten, tries] = [0, 0];
  while (bitten < KILLS && tries < MAX_TRIES && (await isPlacing(stage))) {
    tries++;
    if (await killSoon(stage)) bitten++;
    await gateway.start();
  }
  if (bitten === 0) throw new Error(`none of ${tries} kills left a plan and records without a partition`);
  const bite = `${spooled} records before Kafka came, with ${partitions} partitions; ${bitten} of ${tries} kills while they were placed`;
  return { ...(await recovered(stage, BACK_MS)), bite };
}

/** Fills the spool with more than one chunk for each source. Kafka must be away. */
export async function spoolMuch(stage: Stage): Promise<void> {
  const { fleet } = stage;
  fleet.padding = LARGE_READINGS;
  fleet.window = FLOOD_WINDOW;
  fleet.burst = FLOOD_BURST;
  await spooledBeyond(stage, UNPLACED_RECORDS, SPOOLED_MS);
  fleet.calm();
}

/** True once a plan is on disk; false if no record waits for its partition any more. */
export async function isPlacing(stage: Stage): Promise<boolean> {
  const { spoolDirectory, topic } = stage;
  let placing = lookAtPlacing(spoolDirectory, topic);
  const isSeen = () => {
    placing = lookAtPlacing(spoolDirectory, topic);
    return placing.plan !== undefined || placing.sourceBytes === 0;
  };
  await stage.wait('records are placed', isSeen, PLAN_MS);
  return placing.plan !== undefined;
}

/** True if the kill left a plan and records that are not placed. */
export async function killSoon({ gateway, random, spoolDirectory, topic }: Stage): Promise<boolean> {
  await sleep(random.between(0, MAX_BEFORE_KILL_MS));
  await gateway.kill();
  const { plan, sourceBytes } = lookAtPlacing(spoolDirectory, topic);
  return plan !== undefined && sourceBytes > 0;
}
