// Plays one round: a gateway, a topic and devices of its own, one or several faults in turn, and the judge's verdict.
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerProxy } from '../../scripts/kafka/broker-proxy.ts';
import { type KafkaOptions, startKafka } from '../../scripts/kafka/cluster.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { type Fault, FaultSkipped, type Outcome, percent } from './fault.ts';
import { judge, type Verdict } from './judge.ts';
import { LOGIN, LOGIN_LASTS_MS } from './login.ts';
import { Random } from './random.ts';
import { recordsLeft } from './spool-looks.ts';
import { type ClusterUnderTest, Stage } from './stage.ts';

export interface RoundResult {
  readonly faults: string;
  readonly seed: number;
  readonly seconds: number;
  readonly outcomes: readonly Outcome[];
  /** Why the round was not played. */
  readonly skipped?: string;
  readonly issued: number;
  readonly confirmed: number;
  readonly refused: number;
  readonly samples: number;
  readonly verdict: Verdict | undefined;
  /** All findings; empty if everything held. */
  readonly wrong: readonly string[];
}

const AFTER_FAULT_MS = 500;
/** docs/delivery-guarantees.md names this exception under "Once". It counts only if the gateway has said so. */
const TOOK_LATER_FIRST = /created again while several batches were in flight/;

/** The kind of cluster that a fault needs. */
export type ClusterNeeds = Pick<Fault, 'brokers' | 'login'>;

/** The clusters of a run. Each is started when it is first needed. */
export class Clusters {
  readonly #options: KafkaOptions;
  readonly #started = new Map<string, Promise<ClusterUnderTest>>();

  constructor(options: KafkaOptions = {}) {
    this.#options = options;
  }

  get({ brokers, login = false }: ClusterNeeds): Promise<ClusterUnderTest> {
    const key = `${brokers} ${login}`;
    const known = this.#started.get(key);
    if (known !== undefined) return known;
    const starting = login ? this.#startWithLogin() : this.#start(brokers);
    this.#started.set(key, starting);
    return starting;
  }

  async stop(): Promise<void> {
    const started = [...this.#started.values()];
    this.#started.clear();
    for (const starting of started) {
      const cluster = await starting.catch(() => undefined);
      for (const proxy of cluster?.proxies ?? []) proxy.close();
      await cluster?.kafka.stop();
    }
  }

  async #start(brokers: 1 | 3): Promise<ClusterUnderTest> {
    const kafka = await startKafka({ brokers, ...this.#options });
    const proxies = await BrokerProxy.before(kafka.brokers.map(({ address }) => address));
    return { kafka, proxies };
  }

  /** The gateway logs in. The judge uses the listener without login. */
  async #startWithLogin(): Promise<ClusterUnderTest> {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    const plainUsers = { [LOGIN.KAFKA_SASL_USERNAME]: LOGIN.KAFKA_SASL_PASSWORD };
    const kafka = await startKafka({
      ...this.#options,
      sasl: [{ port, advertised: address, plainUsers }],
      properties: { ...this.#options.properties, 'connections.max.reauth.ms': String(LOGIN_LASTS_MS) },
    });
    return { kafka, proxies: await BrokerProxy.before([address]) };
  }
}

/** Plays faults that need the same kind of cluster. Never rejects: findings and errors are in the result. */
export async function playRound(
  cluster: ClusterUnderTest,
  { faults, seed }: { faults: readonly Fault[]; seed: number },
): Promise<RoundResult> {
  const from = performance.now();
  const topic = `chaos.${seed}.${Date.now().toString(36)}`;
  const env = Object.assign({}, ...faults.map((fault) => fault.env ?? {}));
  const stage = await Stage.set(cluster, { topic, random: new Random(seed), env });
  const outcomes: Outcome[] = [];
  const wrong: string[] = [];
  let verdict: Verdict | undefined;
  let skipped: string | undefined;
  try {
    await begin(stage, faults);
    for (const fault of faults) {
      outcomes.push(await fault.apply(stage));
      await sleep(AFTER_FAULT_MS);
    }
    await stage.settled();
    verdict = await judge(stage.ledger, {
      bootstrap: stage.bootstrap,
      metrics: [topic, ...stage.laterTopics],
      deleted: stage.deleted,
      deadLetters: faults.some(({ refuses }) => refuses) ? stage.deadTopic : undefined,
    });
    const isExcused = faults.some(({ mayOvertake }) => mayOvertake) && stage.gateway.said(TOOK_LATER_FIRST);
    wrong.push(...verdict.wrong.filter((text) => !isExcused || !/^(?:out of order|duplicates) /.test(text)));
    wrong.push(...(await end(stage)));
  } catch (error) {
    if (error instanceof FaultSkipped) skipped = error.message;
    else wrong.push((error as Error).stack ?? String(error));
  } finally {
    await heal(cluster).catch((error: unknown) => wrong.push(String(error)));
    await stage.close();
    for (const fault of faults) await fault.cleanUp?.(stage);
    await stage.remove();
  }
  const { gateway, ledger, fleet } = stage;
  wrong.push(...outcomes.flatMap((outcome) => outcome.wrong ?? []));
  wrong.push(...tooSlow(outcomes), ...fleet.lies.slice(0, 3), ...gateway.imbalances.slice(0, 3));
  return {
    faults: faults.map(({ name }) => name).join(' + '),
    seed,
    seconds: (performance.now() - from) / 1000,
    outcomes,
    ...(skipped === undefined ? {} : { skipped }),
    issued: ledger.issued,
    confirmed: ledger.confirmed,
    refused: ledger.refused,
    samples: gateway.samples,
    verdict,
    wrong,
  };
}

async function begin(stage: Stage, faults: readonly Fault[]): Promise<void> {
  const prepared = faults.filter(({ prepare }) => prepare !== undefined);
  for (const fault of prepared) await fault.prepare?.(stage);
  if (prepared.length === 0) await stage.createTopic();
  await stage.gateway.start(stage.env);
  stage.fleet.start();
  if (prepared.length > 0) return;
  await stage.flows();
  // After a start records may go through the spool for a moment, until Kafka has given a producer id.
  await stage.caughtUp();
}

/** Stops the gateway after everything was delivered. It must have nothing to write, and no record on disk. */
async function end({ gateway, spoolDirectory }: Stage): Promise<string[]> {
  gateway.signal('SIGTERM');
  const code = await gateway.exited();
  const wrong = code === 0 ? [] : [`the gateway ended with ${code}\n${gateway.logTail()}`];
  const left = await recordsLeft(spoolDirectory);
  if (left > 0) wrong.push(`${left} records are left in the spool, and everything is delivered`);
  return wrong;
}

/** Undoes what a failed fault left behind. */
async function heal({ kafka, proxies }: ClusterUnderTest): Promise<void> {
  for (const proxy of proxies) await proxy.heal();
  const ids = kafka.brokers.map(({ id }) => id);
  for (const broker of kafka.brokers) {
    await broker.resume();
    if (!(await broker.isRunning())) await broker.launch();
  }
  for (const broker of kafka.brokers) await broker.ready(ids);
}

function tooSlow(outcomes: readonly Outcome[]): string[] {
  return outcomes.flatMap(({ bite, tookMs = 0, limitMs = Infinity }) =>
    tookMs <= limitMs ? [] : [`took ${Math.round(tookMs)} ms, at most ${limitMs} are allowed (${bite})`],
  );
}

/** A Markdown table with a line for each round. */
export function resultTable(results: readonly RoundResult[]): string {
  const head = ['faults', 'seed', 'effect seen', 'took / limit s', 'drained s', 'CPU without load'];
  const figures = [
    'issued',
    'confirmed',
    'refused',
    'delivered',
    'duplicates',
    'moved on',
    'resent',
    'samples',
  ];
  const titles = [...head, ...figures, 'result'];
  const rows = results.map((result) => {
    const { outcomes, verdict } = result;
    const each = (text: (outcome: Outcome) => string | undefined) =>
      outcomes.map((outcome) => text(outcome) ?? '-').join('; ');
    const isGood = result.wrong.length === 0;
    return [
      result.faults,
      result.seed,
      each(({ bite }) => bite),
      each(({ tookMs, limitMs }) =>
        tookMs === undefined ? undefined : `${seconds(tookMs)} / ${limitMs ? seconds(limitMs) : '-'}`,
      ),
      each(({ drainedMs }) => (drainedMs === undefined ? undefined : seconds(drainedMs))),
      each(({ cpuShare }) => (cpuShare === undefined ? undefined : percent(cpuShare))),
      ...[result.issued, result.confirmed, result.refused],
      ...[verdict?.delivered, verdict?.duplicates, verdict?.movedOn, verdict?.resent, result.samples],
      result.skipped === undefined ? (isGood ? 'ok' : 'FAILED') : `SKIPPED: ${result.skipped}`,
    ];
  });
  return [titles, titles.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell ?? '-').join(' | ')} |`)
    .join('\n');
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
