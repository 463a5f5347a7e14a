// Faults of Kafka and of the network to it. Each restores the cluster afterwards.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaBroker } from '../../scripts/kafka/broker.ts';
import { deleteTopic } from '../../scripts/kafka/client.ts';
import { BROKER_FAULTS } from './broker-faults.ts';
import {
  configure,
  cutOff,
  type Fault,
  LEADER_LOST_MS,
  mark,
  type Outcome,
  outage,
  quietCpu,
  recovered,
  spooling,
} from './fault.ts';
import { GATEWAY_FAULTS } from './gateway-faults.ts';
import { RECREATE_FAULTS } from './recreate-faults.ts';
import { REFUSAL_FAULTS } from './refusal-faults.ts';
import { RENAME_FAULTS } from './rename-faults.ts';
import type { Stage } from './stage.ts';
import { UNPLACED_FAULTS } from './unplaced-faults.ts';

/** Lower than the default, so that the gateway gives up a frozen broker within a short test. */
const IMPATIENT = { KAFKA_REQUEST_TIMEOUT: '3s' };
/** The gateway's share of a leader's death. Kafka's own is its session timeout, 9 s by default, and an election. */
const AFTER_MOVE_MS = 4_000;
const SLOW_MS = 5_000;
const SLOW_LINK = { delayMs: 100, bytesPerSecond: 3_000_000 / 8 };
const CHASES = 5;
const LOST_ANSWERS = 6;
const RESETS = 5;
const SMALL_TOPIC_BYTES = 8_192;
const LARGE_READING_BYTES = 20_000;

export const FAULTS: readonly Fault[] = [
  { name: 'broker-kill', brokers: 1, apply: (stage) => restartBroker(stage, 'SIGKILL') },
  { name: 'broker-restart', brokers: 1, apply: (stage) => restartBroker(stage, 'SIGTERM') },
  { name: 'leader-kill', brokers: 3, apply: (stage) => loseLeader(stage, 'SIGKILL') },
  { name: 'leader-move', brokers: 3, apply: (stage) => loseLeader(stage, 'SIGTERM') },
  { name: 'leader-frozen', brokers: 3, apply: freezeLeader },
  { name: 'leader-chase', brokers: 3, alone: true, apply: chaseLeader },
  { name: 'all-frozen', brokers: 1, env: IMPATIENT, apply: freezeAll },
  { name: 'not-enough-replicas', brokers: 3, apply: stopTwo },
  { name: 'answer-lost', brokers: 1, apply: loseAnswers },
  { name: 'resets', brokers: 1, apply: resetOften },
  { name: 'half-close', brokers: 1, apply: halfClose },
  { name: 'blackhole', brokers: 1, env: IMPATIENT, apply: blackhole },
  { name: 'slow-link', brokers: 1, apply: slowLink },
  { name: 'slow-drain', brokers: 1, apply: drainSlowly },
  { name: 'absent-at-start', brokers: 1, alone: true, prepare: cutOff, apply: comeLate },
  { name: 'topic-recreated', brokers: 1, alone: true, apply: recreateTopic },
  { name: 'too-large', brokers: 1, alone: true, refuses: true, apply: tooLarge },
  ...BROKER_FAULTS,
  ...REFUSAL_FAULTS,
  ...RECREATE_FAULTS,
  ...RENAME_FAULTS,
  ...UNPLACED_FAULTS,
  ...GATEWAY_FAULTS,
];

async function restartBroker(stage: Stage, signal: 'SIGKILL' | 'SIGTERM'): Promise<Outcome> {
  const [broker] = stage.kafka.brokers;
  return outage(stage, { begin: () => broker?.stop(signal), end: () => broker?.start() });
}

async function loseLeader(stage: Stage, signal: 'SIGKILL' | 'SIGTERM'): Promise<Outcome> {
  const marked = mark(stage);
  const leader = await stage.leader();
  const from = performance.now();
  await leader.stop(signal);
  const outcome = await withoutLeader(stage, { leader, marked, from });
  await leader.start();
  return outcome;
}

/** Kills each new leader. */
async function chaseLeader(stage: Stage): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (let left = CHASES; left > 0; left--) outcomes.push(await loseLeader(stage, 'SIGKILL'));
  // The outcome nearest to its limit, or furthest beyond it.
  const room = ({ tookMs = 0, limitMs = 0 }: Outcome) => limitMs - tookMs;
  const worst = outcomes.reduce((a, b) => (room(b) < room(a) ? b : a));
  return { ...worst, bite: `${CHASES} leaders killed; the slowest: ${worst.bite}` };
}

async function freezeLeader(stage: Stage): Promise<Outcome> {
  const marked = mark(stage);
  const leader = await stage.leader();
  const from = performance.now();
  await leader.pause();
  const outcome = await withoutLeader(stage, { leader, marked, from });
  await leader.resume();
  await stage.flows();
  return outcome;
}

async function withoutLeader(
  stage: Stage,
  { leader, marked, from }: { leader: KafkaBroker; marked: ReturnType<typeof mark>; from: number },
): Promise<Outcome> {
  await stage.wait('the fault bites', () => marked.retries() > 0);
  await stage.leadershipMoved(leader);
  const movedMs = performance.now() - from;
  // The latest figures may be older than the move.
  await stage.flows();
  await stage.wait('nothing waits', () => stage.gateway.stats.kafka.oldestUnconfirmedSeconds < 1);
  const tookMs = performance.now() - from;
  await stage.caughtUp();
  const bite = `${marked.text()}, Kafka moved the leaders in ${(movedMs / 1000).toFixed(1)} s`;
  // If Kafka itself is slow on this machine, the limit covers only what the gateway adds.
  const limitMs = Math.max(LEADER_LOST_MS, movedMs + AFTER_MOVE_MS);
  return { bite, tookMs, limitMs, drainedMs: performance.now() - from };
}

async function freezeAll(stage: Stage): Promise<Outcome> {
  const { brokers } = stage.kafka;
  return outage(stage, {
    begin: () => Promise.all(brokers.map((broker) => broker.pause())),
    end: () => Promise.all(brokers.map((broker) => broker.resume())),
  });
}

/** Stops them one after the other, so that the last one knows that it is alone and refuses. */
async function stopTwo(stage: Stage): Promise<Outcome> {
  const marked = mark(stage);
  const stopped: KafkaBroker[] = stage.kafka.brokers.slice(0, 2);
  const begin = async () => {
    for (const broker of stopped) await broker.stop('SIGTERM');
    await stage.wait('the last broker refuses', () => marked.said(/NOT_ENOUGH_REPLICAS/));
  };
  const end = async () => {
    for (const broker of stopped) await broker.launch();
    for (const broker of stopped) await broker.ready([1, 2, 3]);
  };
  return outage(stage, { begin, end });
}

async function loseAnswers(stage: Stage): Promise<Outcome> {
  const marked = mark(stage);
  const swallowed = () => stage.proxies.reduce((sum, { counters }) => sum + counters.swallowed, 0);
  const before = swallowed();
  for (let lost = 0; lost < LOST_ANSWERS; lost += 2) {
    // Two in a row, so that the answer to the retry is lost as well.
    for (const proxy of stage.proxies) proxy.swallowAnswers = 2;
    await stage.wait('answers are lost', () => swallowed() >= before + lost + 2);
    await stage.flows(50);
  }
  return { ...(await recovered(stage)), bite: `${swallowed() - before} answers lost, ${marked.text()}` };
}

async function resetOften(stage: Stage): Promise<Outcome> {
  const marked = mark(stage);
  for (let left = RESETS; left > 0; left--) {
    for (const proxy of stage.proxies) proxy.reset();
    await sleep(stage.random.between(100, 600));
  }
  await stage.wait('new connections are made', () => marked.connections() >= 3);
  return { ...(await recovered(stage)), bite: marked.text() };
}

async function halfClose(stage: Stage): Promise<Outcome> {
  const marked = mark(stage);
  for (const proxy of stage.proxies) proxy.halfClose();
  await stage.wait('a new connection is made', () => marked.connections() > 0);
  return { ...(await recovered(stage)), bite: marked.text() };
}

async function blackhole(stage: Stage): Promise<Outcome> {
  const swallow = (isOn: boolean) => {
    for (const proxy of stage.proxies) proxy.blackhole = isOn;
  };
  return outage(stage, { begin: () => swallow(true), end: () => swallow(false) });
}

async function slowLink(stage: Stage): Promise<Outcome> {
  stage.ledger.takeMedianLatencyMs();
  for (const proxy of stage.proxies) {
    proxy.delayMs = SLOW_LINK.delayMs;
    proxy.rate = SLOW_LINK.bytesPerSecond;
  }
  await sleep(SLOW_MS);
  const median = stage.ledger.takeMedianLatencyMs();
  if (median < 2 * SLOW_LINK.delayMs) throw new Error(`confirmed in ${median} ms: the link was not slow`);
  for (const proxy of stage.proxies) await proxy.heal();
  return { ...(await recovered(stage)), bite: `confirmed in ${Math.round(median)} ms` };
}

/** The spool drains over a link so slow that devices fill a batch faster than one is sent. */
async function drainSlowly(stage: Stage): Promise<Outcome> {
  const marked = mark(stage);
  await cutOff(stage);
  await spooling(stage, marked);
  for (const proxy of stage.proxies) {
    proxy.delayMs = SLOW_LINK.delayMs;
    await proxy.accept();
  }
  return { ...(await recovered(stage)), bite: marked.text() };
}

async function comeLate(stage: Stage): Promise<Outcome> {
  const { gateway, ledger, proxies } = stage;
  await stage.wait('readings are stored without Kafka', () => ledger.confirmed > 500);
  if (!gateway.stats.readiness.ready) throw new Error('not ready, although the disk keeps all data');
  const cpuShare = await quietCpu(stage);
  const { spooled } = gateway.stats.records;
  for (const proxy of proxies) await proxy.accept();
  return { ...(await recovered(stage)), bite: `${spooled} records spooled`, cpuShare };
}

async function recreateTopic(stage: Stage): Promise<Outcome> {
  // Readings confirmed up to here are deleted with the topic. Later ones must not be.
  await stage.settled();
  stage.ledger.excuse();
  const begin = async () => {
    await deleteTopic(stage.bootstrap, stage.topic);
    stage.fleet.start();
  };
  return outage(stage, { begin, end: () => stage.createTopicAgain() });
}

/** Lowers the limit while the gateway runs, so that it learns of it from a refused batch. */
async function tooLarge(stage: Stage): Promise<Outcome> {
  const { gateway, ledger, fleet } = stage;
  await configure(stage, { setting: 'max.message.bytes', value: SMALL_TOPIC_BYTES });
  for (let round = 1; round <= 3; round++) {
    const refused = ledger.refused;
    fleet.sendLarge(LARGE_READING_BYTES);
    await stage.wait('devices hear of it', () => ledger.refused >= refused + 20);
    await stage.flows(50);
  }
  const { deadLettered } = gateway.stats.records;
  if (deadLettered === 0) throw new Error('no record was refused by Kafka itself');
  await configure(stage, { setting: 'max.message.bytes' });
  return { ...(await recovered(stage)), bite: `${deadLettered} records refused by Kafka` };
}
