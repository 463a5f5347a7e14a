// Faults of a broker that runs: it throttles, is slow, takes only small requests, wants new logins, or belongs to
// another cluster than before.

import { alterConfig, dumpLog, segmentFiles } from '../../scripts/kafka/java-tools.ts';
import { KafkaClient } from '../../src/kafka/client/kafka-client.ts';
import { testLog } from '../support/log.ts';
import { waitFor } from '../support/wait.ts';
import { BROKER_BACK_MS, cutOff, type Fault, mark, type Outcome, recovered, spooling } from './fault.ts';
import { LOGIN, LOGIN_LASTS_MS } from './login.ts';
import { PARTITIONS, type Stage } from './stage.ts';

/** Bytes a second; devices send several times as much. */
const QUOTA = 40_000;
const THROTTLED_MS = 15_000;
/** Longer than every time limit for control requests. */
const SLOW_PRODUCE_MS = 8_000;
const PATIENT = { KAFKA_REQUEST_TIMEOUT: '30s' };
const DISOWNED = 2;
/** The limit of Azure Event Hubs. */
const REQUEST_BYTES = 2 ** 20;
const LARGE_READINGS: readonly [number, number] = [8_000, 12_000];
/** Enough for more than one request to gather while others are in flight. */
const FAR_MS = 100;
const TOO_LARGE_MS = 8_000;
const TRIED_AGAIN = 2;
const LOGINS = 4;
const IN_FLIGHT_MS = 30;
const REACHED_MS = 60_000;
/** A broker takes a new block of a thousand ids at each start. */
const MAX_IDS = 50_000;

export const BROKER_FAULTS: readonly Fault[] = [
  { name: 'quota', brokers: 1, alone: true, env: { KAFKA_REQUEST_TIMEOUT: '3s' }, apply: throttle },
  { name: 'slow-produce', brokers: 1, alone: true, env: PATIENT, apply: produceSlowly },
  { name: 'small-requests', brokers: 1, alone: true, apply: takeSmallRequests },
  { name: 're-login', brokers: 1, login: true, env: LOGIN, apply: loginAgain },
  { name: 'another-cluster', brokers: 1, alone: true, apply: (stage) => becomeAnother(stage, false) },
  { name: 'another-cluster-restart', brokers: 1, alone: true, apply: (stage) => becomeAnother(stage, true) },
];

/** With a quota Kafka is slow, not unreachable, so nothing may go to the disk. */
async function throttle(stage: Stage): Promise<Outcome> {
  const { bootstrap, proxies } = stage;
  const client = { type: 'clients', name: 'sluice' } as const;
  const throttled = () => proxies.reduce((sum, { counters }) => sum + counters.throttledMs, 0);
  const marked = mark(stage);
  const before = throttled();
  let isSet = true;
  await alterConfig(bootstrap, client, { set: { producer_byte_rate: String(QUOTA) } });
  try {
    const from = performance.now();
    await stage.wait('it throttles', () => throttled() > before, REACHED_MS);
    await stage.wait('it throttles for a while', () => performance.now() - from > THROTTLED_MS, REACHED_MS);
    const askedMs = throttled() - before;
    const [spooled, retries] = [marked.spooledBatches(), marked.retries()];
    await alterConfig(bootstrap, client, { remove: ['producer_byte_rate'] });
    isSet = false;
    const wrong = [];
    if (spooled > 0) wrong.push(`${spooled} batches went to the disk because of a quota`);
    if (retries > 0) wrong.push(`${retries} retries because of a quota`);
    const bite = `Kafka asked for ${(askedMs / 1000).toFixed(1)} s without requests; ${marked.text()}`;
    return { ...(await recovered(stage, 2 * BROKER_BACK_MS)), bite, wrong };
  } finally {
    if (isSet) await alterConfig(bootstrap, client, { remove: ['producer_byte_rate'] });
  }
}

/** Each answer is late but within the limit. Some make the gateway ask for leaders while other answers are due. */
async function produceSlowly(stage: Stage): Promise<Outcome> {
  const { proxies, ledger, gateway } = stage;
  const marked = mark(stage);
  for (const proxy of proxies) proxy.produceDelayMs = SLOW_PRODUCE_MS;
  const { confirmed } = gateway.stats.records;
  ledger.takeMedianLatencyMs();
  const from = performance.now();
  let disowned = 0;
  const wrong: string[] = [];
  await stage
    .wait(
      'records flow, slowly',
      () => {
        const slowMs = performance.now() - from;
        if (slowMs > (disowned + 1) * SLOW_PRODUCE_MS && disowned < DISOWNED) {
          disowned++;
          for (const proxy of proxies) proxy.disownAnswers = 1;
        }
        return gateway.stats.records.confirmed > confirmed && slowMs > (DISOWNED + 2) * SLOW_PRODUCE_MS;
      },
      (DISOWNED + 3) * SLOW_PRODUCE_MS,
    )
    .catch(() => wrong.push('nothing was confirmed while answers took so long'));
  if (marked.retries() === 0) throw new Error('nothing was sent again');
  const bite = `confirmed in ${Math.round(ledger.takeMedianLatencyMs())} ms; ${marked.text()}`;
  if (marked.connections() > 0)
    wrong.push(`${marked.connections()} connections were lost to answers that took ${SLOW_PRODUCE_MS} ms`);
  if (marked.spooledBatches() > 0)
    wrong.push(`${marked.spooledBatches()} batches went to the disk while Kafka answered in time`);
  for (const proxy of proxies) proxy.produceDelayMs = 0;
  return { ...(await recovered(stage, 3 * BROKER_BACK_MS)), bite, wrong };
}

/** Requests must become small enough, although the broker never says how much it takes. */
async function takeSmallRequests(stage: Stage): Promise<Outcome> {
  const { fleet, proxies } = stage;
  const refused = () => proxies.reduce((sum, { counters }) => sum + counters.tooLarge, 0);
  const marked = mark(stage);
  const before = refused();
  fleet.padding = LARGE_READINGS;
  for (const proxy of proxies) {
    proxy.delayMs = FAR_MS;
    proxy.maxRequestBytes = REQUEST_BYTES;
  }
  await stage.wait('a request is too large', () => refused() > before);
  const from = performance.now();
  await stage.wait('it has been refused for a while', () => performance.now() - from > TOO_LARGE_MS);
  const learned = refused();
  await stage.wait('so it goes on', () => performance.now() - from > 2 * TOO_LARGE_MS);
  await stage.flows();
  fleet.calm();
  // The proxy keeps its limit until the spool is empty: a batch that is too large now never fits.
  const back = await recovered(stage);
  for (const proxy of proxies) await proxy.heal();
  const later = refused() - learned;
  // Now and then one request may be too large, to find out whether the limit still holds.
  const wrong =
    later > TRIED_AGAIN ? [`${later} requests were too large after ${TOO_LARGE_MS} ms of refusals`] : [];
  return { ...back, bite: `${refused() - before} requests were too large; ${marked.text()}`, wrong };
}

/** Logins expire every few seconds with requests in flight. None of these may be sent twice. */
async function loginAgain(stage: Stage): Promise<Outcome> {
  const { proxies } = stage;
  const marked = mark(stage);
  for (const proxy of proxies) proxy.delayMs = IN_FLIGHT_MS;
  const logins = () => proxies.reduce((sum, { counters }) => sum + counters.logins, 0);
  const before = logins();
  await stage.wait('logins are renewed', () => logins() >= before + LOGINS, LOGINS * LOGIN_LASTS_MS);
  await stage.flows();
  for (const proxy of proxies) proxy.delayMs = 0;
  const wrong = marked.retries() > 0 ? [`${marked.retries()} retries because of logins`] : [];
  return { ...(await recovered(stage)), bite: `${logins() - before} more logins; ${marked.text()}`, wrong };
}

/**
 * Kafka is installed again at the same address, without its data, while a spool waits. Producer ids belong to a
 * cluster, so batches need an id from the new one.
 */
async function becomeAnother(stage: Stage, restart: boolean): Promise<Outcome> {
  const { gateway, kafka, ledger, proxies } = stage;
  const [broker] = kafka.brokers;
  if (broker === undefined) throw new Error('there is no broker');
  // Readings confirmed up to here are lost with the old cluster. Later ones must not be.
  await stage.settled();
  ledger.excuse();
  const oldIds = [...(await batchesByProducer(stage)).keys()];
  const marked = mark(stage);
  await cutOff(stage);
  stage.fleet.start();
  await spooling(stage, marked);
  await broker.stop('SIGKILL');
  if (restart) {
    await gateway.kill();
    await gateway.start();
  }
  await broker.startAsAnotherCluster();
  const used = await useUpIds(stage, Math.max(-1, ...oldIds) + 1);
  await stage.createTopic();
  for (const proxy of proxies) await proxy.accept();
  const back = await recovered(stage);
  const foreign = [...(await batchesByProducer(stage))].filter(([id]) => id < used);
  const wrong = foreign.map(
    ([id, batches]) =>
      `${batches} batches under producer id ${id}, which the new cluster gave to somebody else`,
  );
  const before = `producer ids before: ${oldIds.join(', ')}`;
  return { ...back, bite: `${before}; ${restart ? 'restarted' : marked.text()}`, wrong };
}

/** The number of the topic's batches by producer id. Empty if the broker's files cannot be read from here. */
async function batchesByProducer({ bootstrap, kafka, topic }: Stage): Promise<Map<number, number>> {
  const [broker] = kafka.brokers;
  const counts = new Map<number, number>();
  if (broker === undefined || kafka.kind !== 'java') return counts;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const batches = await dumpLog(bootstrap, await segmentFiles(broker.dataDir, topic, partition));
    for (const { producerId } of batches)
      if (producerId >= 0) counts.set(producerId, (counts.get(producerId) ?? 0) + 1);
  }
  return counts;
}

/** Takes the first ids, which Kafka gives out in order, so that they belong to other producers. Returns how many. */
async function useUpIds({ bootstrap }: Stage, count: number): Promise<number> {
  if (count > MAX_IDS) throw new Error(`${count} producer ids are too many to use up`);
  const cluster = new KafkaClient(
    { brokers: [bootstrap], clientId: 'ids', credentials: () => ({}), requestTimeoutMs: 10_000 },
    testLog({ level: 'silent' }),
  );
  try {
    // A broker that has just started has no ids yet (COORDINATOR_LOAD_IN_PROGRESS).
    const gives = () =>
      cluster.initProducerId().then(
        () => true,
        () => false,
      );
    if (count > 0) await waitFor('the new cluster gives producer ids', gives, REACHED_MS);
    for (let used = 1; used < count; used++) await cluster.initProducerId();
  } finally {
    cluster.close();
  }
  return count;
}
