// Faults of the gateway's own process and of its disk.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  cutOff,
  type Fault,
  FaultSkipped,
  mark,
  type Outcome,
  recovered,
  SHUTDOWN_MS,
  spooledBeyond,
  stopped,
  terminated,
} from './fault.ts';
import type { Stage } from './stage.ts';

const KILLS = 3;
/** Larger than one write of the gateway (4 MiB), and full within seconds. */
const SMALL_DISK = '8m';
const SPOOLED_RECORDS = 500;
/** The buffer is full within seconds, and no broker counts as lost before the stop is over. */
const SMALL_BUFFER = { KAFKA_BUFFER_BYTES: '4MiB', KAFKA_REQUEST_TIMEOUT: '60s' };
const LARGE_READINGS: readonly [number, number] = [800, 1_000];
const STILL_MS = 1_000;
/** Enough for a device to go on writing through the whole stop. */
const FLOOD_WINDOW = 20_000;
const FLOOD_BURST = 20;
const WAITING_LINES = 1_000;

export const GATEWAY_FAULTS: readonly Fault[] = [
  { name: 'gateway-kill', brokers: 1, apply: killUnderLoad },
  { name: 'gateway-kill-spool', brokers: 1, apply: killInOutage },
  { name: 'process-kill', brokers: 1, alone: true, env: { TCP_PROCESSES: '2' }, apply: killProcesses },
  { name: 'sigterm', brokers: 1, apply: terminateUnderLoad },
  { name: 'sigterm-frozen', brokers: 1, apply: terminateFrozen },
  { name: 'sigterm-full', brokers: 1, alone: true, env: SMALL_BUFFER, apply: terminateFull },
  { name: 'sigterm-flooded', brokers: 1, alone: true, env: SMALL_BUFFER, apply: terminateFlooded },
  { name: 'second-sigterm', brokers: 1, apply: terminateTwice },
  {
    name: 'disk-full',
    brokers: 1,
    alone: true,
    prepare: smallDisk,
    apply: fillDisk,
    cleanUp: async (stage) => void spawnSync('umount', [stage.spoolDirectory]),
  },
];

async function killUnderLoad(stage: Stage): Promise<Outcome> {
  const { gateway, fleet, random } = stage;
  const before = fleet.reconnects;
  for (let left = KILLS; left > 0; left--) {
    await stage.flows(random.between(1, 300));
    await gateway.kill();
    await gateway.start();
  }
  return { ...(await recovered(stage)), bite: `${KILLS} kills, ${fleet.reconnects - before} reconnects` };
}

async function killInOutage(stage: Stage): Promise<Outcome> {
  const { gateway, proxies, random } = stage;
  await cutOff(stage);
  await spooledBeyond(stage, SPOOLED_RECORDS);
  for (let left = KILLS; left > 0; left--) {
    await sleep(random.between(100, 800));
    await gateway.kill();
    await gateway.start();
  }
  const { recovered: found } = gateway.stats.records;
  for (const proxy of proxies) await proxy.accept();
  // And once more while the spool drains.
  await stage.flows(1);
  await gateway.kill();
  await gateway.start();
  return { ...(await recovered(stage)), bite: `${KILLS + 1} kills, ${found} records found in the spool` };
}

/** Kills one of two server processes, under load and in an outage. Only its own devices have to reconnect. */
async function killProcesses(stage: Stage): Promise<Outcome> {
  const { gateway, fleet, proxies, random } = stage;
  const before = fleet.reconnects;
  const killOne = async () => {
    const { restarts } = gateway.stats.processes;
    process.kill(random.pick(gateway.children), 'SIGKILL');
    await stage.wait('it is back', () => {
      const { processes } = gateway.stats;
      return processes.restarts > restarts && processes.running === processes.configured;
    });
  };
  for (let left = KILLS; left > 0; left--) {
    await stage.flows(random.between(1, 300));
    await killOne();
  }
  await cutOff(stage);
  await spooledBeyond(stage, SPOOLED_RECORDS);
  await killOne();
  const { recovered: found } = gateway.stats.records;
  for (const proxy of proxies) await proxy.accept();
  const bite = `${KILLS + 1} processes killed, ${fleet.reconnects - before} reconnects, ${found} records found in the spool`;
  return { ...(await recovered(stage)), bite };
}

async function terminateUnderLoad(stage: Stage): Promise<Outcome> {
  await stage.flows();
  const { tookMs, accepted } = await terminated(stage, 0);
  await stage.gateway.start();
  await stage.flows();
  return { bite: `exit 0 after ${accepted} records`, tookMs, limitMs: SHUTDOWN_MS };
}

async function terminateFrozen(stage: Stage): Promise<Outcome> {
  const { gateway, kafka } = stage;
  for (const broker of kafka.brokers) await broker.pause();
  await sleep(1_000);
  const { tookMs } = await terminated(stage, 0);
  await gateway.start();
  const { recovered: found } = gateway.stats.records;
  if (found === 0) throw new Error('nothing was left in the spool');
  for (const broker of kafka.brokers) await broker.resume();
  const { drainedMs } = await recovered(stage);
  return { bite: `exit 0, ${found} records left in the spool`, tookMs, limitMs: SHUTDOWN_MS, drainedMs };
}

/** Stops while Kafka is frozen and the full buffer pauses the devices. Nothing in the buffer may be lost. */
async function terminateFull(stage: Stage): Promise<Outcome> {
  const { gateway, fleet, kafka } = stage;
  fleet.padding = LARGE_READINGS;
  // The first records of a new topic go to the disk until Kafka has named its partitions.
  const { batchesWritten } = gateway.stats.spool;
  for (const broker of kafka.brokers) await broker.pause();
  let [accepted, sinceMs] = [-1, 0];
  await stage.wait('the buffer is full', () => {
    const { records, lines } = gateway.stats;
    if (records.accepted !== accepted || lines.waiting === 0)
      [accepted, sinceMs] = [records.accepted, performance.now()];
    return performance.now() - sinceMs > STILL_MS;
  });
  const { kafka: figures, spool } = gateway.stats;
  if (spool.batchesWritten > batchesWritten) throw new Error('the spool was used before the stop');
  fleet.pause();
  const held = `${(figures.bufferBytes / 2 ** 20).toFixed(1)} MiB in memory`;
  return stopAndReturn(stage, held);
}

/** Stops while Kafka is frozen, more lines wait than fit into the buffer, and devices go on writing. */
async function terminateFlooded(stage: Stage): Promise<Outcome> {
  const { gateway, fleet, kafka } = stage;
  fleet.padding = LARGE_READINGS;
  fleet.window = FLOOD_WINDOW;
  await stage.flows();
  fleet.burst = FLOOD_BURST;
  for (const broker of kafka.brokers) await broker.pause();
  await stage.wait('lines wait', () => gateway.stats.lines.waiting > WAITING_LINES);
  return stopAndReturn(stage, `${gateway.stats.lines.waiting} lines waited and more came`);
}

/** Stops while Kafka is frozen. Accepted and unconfirmed records must be in the spool at the next start. */
async function stopAndReturn(stage: Stage, how: string): Promise<Outcome> {
  const { gateway, fleet, kafka } = stage;
  const { code, tookMs, accepted, confirmed } = await stopped(stage);
  const log = gateway.logTail();
  fleet.calm();
  await gateway.start();
  const { recovered: found } = gateway.stats.records;
  for (const broker of kafka.brokers) await broker.resume();
  fleet.start();
  const { drainedMs } = await recovered(stage);
  const wrong = [];
  if (code !== 0) wrong.push(`ended with ${code} after ${Math.round(tookMs)} ms\n${log}`);
  const owed = accepted - confirmed;
  if (found < owed) wrong.push(`${owed} accepted records were not in Kafka, ${found} were in the spool`);
  const bite = `${how}, exit ${code}, ${owed} accepted and not confirmed, ${found} in the spool`;
  return { bite, tookMs, limitMs: SHUTDOWN_MS, drainedMs, wrong };
}

async function terminateTwice(stage: Stage): Promise<Outcome> {
  const { gateway, kafka } = stage;
  for (const broker of kafka.brokers) await broker.pause();
  await sleep(500);
  gateway.signal('SIGTERM');
  await sleep(300);
  const { tookMs } = await terminated(stage, 1);
  for (const broker of kafka.brokers) await broker.resume();
  await gateway.start();
  const { drainedMs } = await recovered(stage);
  return { bite: 'exit 1 at the second signal', tookMs, limitMs: 1_000, drainedMs };
}

async function smallDisk(stage: Stage): Promise<void> {
  const directory = stage.spoolDirectory;
  mkdirSync(directory, { recursive: true });
  const { status, stderr, error } = spawnSync('mount', [
    ...['-t', 'tmpfs', '-o', `size=${SMALL_DISK}`, 'sluice-chaos', directory],
  ]);
  if (status !== 0) throw new FaultSkipped(`mount is not permitted (${error?.message ?? stderr})`);
  await stage.createTopic();
}

async function fillDisk(stage: Stage): Promise<Outcome> {
  const { gateway, fleet, ledger, proxies } = stage;
  const marked = mark(stage);
  fleet.padding = [1_000, 3_000];
  await stage.flows();
  await cutOff(stage);
  const isFull = () => gateway.stats.spool.trouble !== null && fleet.open > 0;
  await stage.wait('the disk is full', () => isFull() && /full/.test(gateway.stats.spool.trouble ?? ''));
  const { ready, reasons } = gateway.stats.readiness;
  if (ready || !reasons.some((reason) => /full/.test(reason)))
    throw new Error(`readiness does not say why: ${reasons}`);
  await sleep(2_000);
  const before = ledger.confirmed;
  await sleep(1_000);
  const bite = `disk full, ${ledger.confirmed - before} confirmed in its last second, ${marked.spooledBatches()} batches spooled`;
  for (const proxy of proxies) await proxy.accept();
  return { ...(await recovered(stage)), bite };
}
