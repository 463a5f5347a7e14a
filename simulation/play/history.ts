// Plays one history: the plan of a seed against the gateway in a world of its own. Then every fault ends, everything has to
// come to rest, the gateway stops, and the judge looks at what devices and brokers have.

import { createWorld } from '../create-world.ts';
import { clientManners } from '../judge/client-manners.ts';
import type { Finding } from '../judge/facts.ts';
import { judge, type Verdict } from '../judge/judge.ts';
import { partitionOfKey } from '../judge/partition-of-key.ts';
import type { World } from '../world/world.ts';
import { checkCalm } from './calm.ts';
import { excusesOf } from './excuses.ts';
import { checkLetters } from './given-up.ts';
import { Kafka } from './kafka.ts';
import { makePlan, type Step } from './plan.ts';
import { bytesIn, drawScene, METRICS, type Scene } from './scene.ts';
import { Stage } from './stage.ts';
import { Watch } from './watch.ts';

export interface HistoryOptions {
  readonly seed: number;
  /** Steps of the plan. */
  readonly steps: number;
  /** Names of the kinds of faults that may come. */
  readonly kinds: readonly string[];
  readonly kindsText: string | undefined;
  /** Numbers of the steps that are played. Undefined for all. */
  readonly only: readonly number[] | undefined;
  readonly devices: number | undefined;
  /** Undefined: until some seconds after the last step of the plan. */
  readonly lastsMs: number | undefined;
  readonly onTrace?: ((line: string) => void) | undefined;
}

export interface HistoryResult {
  readonly asked: HistoryOptions;
  readonly seed: number;
  readonly scene: Scene;
  /** Those that were played. */
  readonly steps: readonly Step[];
  /** How long devices sent. */
  readonly sendingMs: number;
  readonly simulatedMs: number;
  readonly realMs: number;
  readonly hash: string;
  /** Its last lines. */
  readonly trace: readonly string[];
  /** Undefined if the simulator failed before. */
  readonly verdict: Verdict | undefined;
  readonly findings: readonly Finding[];
}

/** Devices go on after the last step, so that its effect is seen. */
const AFTER_LAST_MS = 4_000;
/** Something moves within this time after the last fault: leaders are looked up again every minute. */
const REST_MS = 90_000;
/** Before a drain begins. */
const DRAIN_MS = 30_000;
/** For each record that waits: with merged batches, and if only a few records fit into KAFKA_BATCH_BYTES. */
const EACH_MS = { usual: 10, large: 60 };
/** So many readings of the usual size fill a merged batch. */
const ROOMY_BYTES = 32 * 1024;
/** A stop with nothing left to do, beside SHUTDOWN_DRAIN and SHUTDOWN_SPREAD of a second each. */
const QUICK_STOP_MS = 3_000 + 2_000;
/** Brokers that take a mebibyte within the time of a long stop, on each way. */
const NEAR_MS = 5;
/** A mebibyte is written by then over any link of a scene. */
const UNSENT_MS = 20_000;
/** Any stop. */
const STOP_MS = 15_000;
/** The brokers listen by then. */
const SETTING_MS = 1_000;
/** CPU time of one history, which does not depend on what else the machine does. Only code that runs in circles takes so long. */
const CPU_LIMIT_MS = 60_000;
/** Events between two looks at the CPU time. */
const EVENTS_PER_LOOK = 1000;

// The world replaces the clock of the process, and this one measures its cost.
const realNow = performance.now.bind(performance);
const { cpuUsage } = process;

function cpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

/** Never rejects: an error of the simulator itself is a finding. */
export async function playHistory(asked: HistoryOptions): Promise<HistoryResult> {
  const beganMs = realNow();
  const scene = drawScene(asked.seed, asked.devices);
  const plan = makePlan(scene, asked);
  const steps = asked.only === undefined ? plan : plan.filter(({ number }) => asked.only?.includes(number));
  const sendingMs = asked.lastsMs ?? (plan.at(-1)?.atMs ?? 0) + AFTER_LAST_MS;
  const world = createWorld(asked.seed, asked.onTrace === undefined ? {} : { onTrace: asked.onTrace });
  let stage: Stage | undefined;
  let verdict: Verdict | undefined;
  let failure: Finding | undefined;
  try {
    stage = await setStage(world, scene);
    verdict = await play(stage, { steps, sendingMs, untilCpuMs: cpuMs() + CPU_LIMIT_MS });
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    failure = { rule: error instanceof TooLong ? 'a wait that does not end' : 'the simulator failed', text };
  } finally {
    stage?.close();
    world.end();
  }
  return {
    asked,
    seed: asked.seed,
    scene,
    steps,
    sendingMs,
    simulatedMs: world.nowMs,
    realMs: realNow() - beganMs,
    hash: world.traceHash,
    trace: [...world.traceLines],
    verdict,
    findings: [
      ...(stage?.wrong.list ?? []),
      ...(verdict?.findings ?? []),
      ...(failure === undefined ? [] : [failure]),
    ],
  };
}

class TooLong extends Error {}

async function setStage(world: World, scene: Scene): Promise<Stage> {
  world.network.buffers = { sendBytes: scene.socketBufferBytes, receiveBytes: scene.socketBufferBytes };
  world.network.hidesLateResets = scene.hasOldLibuv;
  let kafka: Kafka | undefined;
  let failure: unknown;
  const starting = world.as(world.outside, () => Kafka.start(world, scene));
  starting.then(
    (started) => {
      kafka = started;
    },
    (error: unknown) => {
      failure = error;
    },
  );
  await world.play({ ms: SETTING_MS, done: () => kafka !== undefined || failure !== undefined });
  if (kafka === undefined) throw failure ?? new Error('the brokers do not start');
  return new Stage(scene, world, kafka);
}

async function play(
  stage: Stage,
  { steps, sendingMs, untilCpuMs }: { steps: readonly Step[]; sendingMs: number; untilCpuMs: number },
): Promise<Verdict> {
  const { world, wrong } = stage;
  const watch = new Watch(stage, steps);
  let events = 0;
  const onTurn = () => {
    if (++events % EVENTS_PER_LOOK === 0 && cpuMs() > untilCpuMs)
      throw new TooLong(`the history took more than ${CPU_LIMIT_MS / 1000} s of CPU time`);
  };
  stage.begin();
  watch.start();
  for (const step of steps) {
    const playStep = () => {
      stage.play(step);
      watch.lookNow();
    };
    world.after(step.atMs, playStep, world.outside);
  }
  await world.play({ ms: sendingMs, onTurn });

  stage.heal();
  stage.fleet.pause();
  const restMs = Math.max(REST_MS, ...steps.map(({ kind }) => kind.restMs ?? 0));
  const end = await comeToRest(stage.world, { watch, restMs, eachMs: eachMsOf(stage, steps), onTurn });
  if (end !== 'done') wrong.add('a wait that does not end', watch.unrest);
  watch.stop();
  checkCalm(stage, steps);

  // With acks 0 bytes may wait in the process, which a stop writes only within its time.
  const { KAFKA_REQUIRED_ACKS: acks, SHUTDOWN_TIMEOUT: stopTime } = stage.gateway.env;
  if (acks === '0' && (stopTime === '2s' || stage.scene.brokerDelayMs > NEAR_MS))
    await world.play({ ms: UNSENT_MS, onTurn });
  let isOver = false;
  void stage.gateway.finish().then((ended) => {
    isOver = true;
    if (end === 'done' && ended?.code !== 0)
      wrong.add('the wrong exit code', `${ended?.signal ?? ended?.code} although everything was delivered`);
  });
  const stopMs = end === 'done' ? QUICK_STOP_MS : STOP_MS;
  const stopped = await world.play({ ms: stopMs, done: () => isOver, onTurn });
  if (stopped !== 'done')
    wrong.add('a wait that does not end', `the gateway does not stop within ${stopMs} ms`);
  // Replies that are on their way, and the end of the last connections.
  await world.play({ ms: 1_000, onTurn });
  for (const lie of stage.fleet.lies) wrong.add('a reply that no gateway may send', lie);
  checkLetters(stage, steps);
  const { starts, env } = stage.gateway;
  // A second gateway may have come and gone.
  const about = { processes: Number(env.TCP_PROCESSES) + 1, starts };
  // Without answers nobody hears that a broker makes the gateway wait.
  const manners = env.KAFKA_REQUIRED_ACKS === '0' ? [] : clientManners(stage.kafka.brokers.counts, about);
  for (const { rule, text } of manners) wrong.add(rule, text);
  return judge({
    messages: [...stage.fleet.messages()],
    logs: stage.kafka.logsOf(METRICS),
    letters: stage.letters,
    excuses: excusesOf(stage, steps),
    mayMiss: end === 'done' ? mayMiss(stage, steps) : Number.POSITIVE_INFINITY,
    hasTimeOfReception: stage.scene.env.KAFKA_TIMESTAMP === 'received',
    partitionOf: partitionOfKey,
    partitionCounts: [...stage.kafka.partitionCounts],
    lineages: stage.fleet.lineages,
    recordKey: stage.scene.env.KAFKA_KEY,
  });
}

/** Readings that may be missing: lost to damage on the disk, or dead letters that no topic takes. */
function mayMiss({ gateway, flippedRecords, keepsLetters }: Stage, steps: readonly Step[]): number {
  const { damaged, deadLettered } = gateway.counts;
  // What the disk does not read counts as damaged, although it is whole.
  const unread = steps.some(({ parameters }) => parameters.op === 'read') ? damaged : 0;
  return flippedRecords + unread + (keepsLetters ? 0 : deadLettered);
}

function eachMsOf({ scene: { env } }: Stage, steps: readonly Step[]): number {
  const isLarge = steps.some(({ kind }) => kind.name === 'large-readings' || kind.name === 'flood');
  return isLarge || bytesIn(env.KAFKA_BATCH_BYTES ?? '') < ROOMY_BYTES ? EACH_MS.large : EACH_MS.usual;
}

/** Whether everything came to rest: not `restMs` without any progress, and for each message and record a little in all. */
async function comeToRest(
  world: World,
  { watch, restMs, eachMs, onTurn }: { watch: Watch; restMs: number; eachMs: number; onTurn: () => void },
): Promise<'done' | 'stuck'> {
  watch.forget();
  let least = Number.POSITIVE_INFINITY;
  let untilMs = world.nowMs + restMs;
  let lastMs = Number.POSITIVE_INFINITY;
  const done = () => {
    if (watch.pending < least) {
      // At the first look at a gateway that is up.
      if (least === Number.POSITIVE_INFINITY)
        lastMs = world.nowMs + Math.max(restMs, DRAIN_MS + watch.pending * eachMs);
      least = watch.pending;
      untilMs = world.nowMs + restMs;
    }
    return watch.isAtRest || world.nowMs > Math.min(untilMs, lastMs);
  };
  await world.play({ done, onTurn });
  return watch.isAtRest ? 'done' : 'stuck';
}
