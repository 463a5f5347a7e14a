// `sluice spool drain`: the gateway without its devices. Same lock, same delivery, same files; what Kafka did not
// confirm stays where it is. Readings first, then the dead letters, which draining readings can make more of.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { durationText } from '../../config/kinds.ts';
import { createLogger } from '../../config/logger.ts';
import type { Settings } from '../../config/settings.ts';
import { createCodec } from '../../kafka/compression.ts';
import { createDeadLetterPipeline, deadSpoolOptions } from '../../kafka/dead-letter-pipeline.ts';
import { letterOf, problemOf } from '../../kafka/dead-letters.ts';
import { createCluster, createKafka, type Kafka } from '../../kafka/kafka.ts';
import { listPartitions, type PartitionPlace } from '../../spool/inspect.ts';
import { lockSpool } from '../../spool/lock.ts';
import { deadLettersDirectory, partDirectory, partsIn } from '../../spool/parts.ts';
import { Spool } from '../../spool/spool.ts';
import type { DrainOptions } from './command.ts';
import { say } from './output.ts';
import { topicText } from './table.ts';

const POLL_MS = 50;
const PROGRESS_EVERY_MS = 500;
const EXIT_MS = 500;

/** How long to go on. */
interface Until {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export async function drain(settings: Settings, { topic, timeout }: DrainOptions): Promise<number> {
  const directory = settings.SPOOL_DIR;
  // Refuses beside a gateway also where there is nothing to send yet.
  for (const part of [directory, ...partsIn(directory).map((one) => one.directory)])
    lockSpool(part).release();
  const log = createLogger({ LOG_LEVEL: 'error', LOG_FORMAT: settings.LOG_FORMAT }, process.stderr);
  const stop = stopOnSignals();
  const until = { deadlineMs: performance.now() + timeout, signal: stop.signal };
  let found = false;
  try {
    for (const kind of ['readings', 'dead letters'] as const) {
      for (const place of await placesOf(directory, kind, topic ?? null, settings)) {
        found = true;
        const reason = await drainPlace(place, { settings, until, log });
        if (reason === null) continue;
        say(`${whyEnded(until, timeout)}: ${reason}. The rest is still in ${directory}`);
        return 1;
      }
    }
    if (!found) say(`nothing${topic === undefined ? '' : ` of topic ${topic}`} in ${directory}`);
    return 0;
  } finally {
    stop.dispose();
    // As in serve.ts: a connection someone forgot must not hold the process.
    setTimeout(() => process.exit(), EXIT_MS).unref();
  }
}

function whyEnded({ deadlineMs, signal }: Until, timeoutMs: number): string {
  if (signal.aborted) return 'stopped';
  return performance.now() < deadlineMs ? 'not sent' : `not empty after ${durationText(timeoutMs)}`;
}

/** One partition of each topic of each process's part: it stands for all of them. */
async function placesOf(
  directory: string,
  kind: PartitionPlace['kind'],
  topic: string | null,
  settings: Settings,
): Promise<PartitionPlace[]> {
  const topicOf = (place: PartitionPlace) =>
    kind === 'readings' ? place.topic : settings.KAFKA_TOPIC_DEAD_LETTERS;
  const found = (await listPartitions(directory)).filter(
    (place) => place.kind === kind && (topic === null || topicOf(place) === topic),
  );
  return [...new Map(found.map((place) => [`${place.process} ${place.topic}`, place])).values()];
}

/** Null if all of it is in Kafka, otherwise what is left and why. */
function drainPlace(
  place: PartitionPlace,
  { settings, until, log }: { settings: Settings; until: Until; log: Logger },
): Promise<string | null> {
  const part = partDirectory(settings.SPOOL_DIR, place.process);
  const here = { ...settings, SPOOL_DIR: part };
  const title = `${topicText(place)}${place.process === 0 ? '' : ` (process-${place.process})`}`;
  return place.kind === 'readings'
    ? drainReadings({ ...here, KAFKA_TOPIC_METRICS: place.topic }, { title, until, log })
    : drainLetters(here, { title, until, log });
}

interface Run {
  /** For people. */
  readonly title: string;
  readonly until: Until;
  readonly log: Logger;
}

async function drainReadings(settings: Settings, { title, until, log }: Run): Promise<string | null> {
  const kafka: Kafka = createKafka(
    // Without a topic the letters of refused records stay on disk: they are sent afterwards, if that is wanted.
    { ...settings, KAFKA_TOPIC_DEAD_LETTERS: null },
    {
      // As the gateway does (refused-record.ts), without a device to tell.
      recordRefused: (record, reason) =>
        kafka.deadLetters.record({ ...letterOf(record, reason).letter, remoteAddress: '' }),
    },
    log,
  );
  try {
    await kafka.start();
    const { delivery } = kafka;
    const { all, left } = await untilSent(title, () => delivery.spooledRecords, until);
    const { deadLettered, lastError } = delivery.counters;
    const refused =
      deadLettered === 0 ? '' : `, ${deadLettered} of them refused by Kafka and kept as dead letters`;
    if (all > 0) process.stdout.write(`${title}: ${all - left} of ${all} records sent${refused}\n`);
    if (left === 0) return null;
    const problem = kafka.deadLetters.blocked ?? kafka.link?.problem ?? lastError ?? delivery.spoolTrouble;
    return `${left} records of ${title} are left${inBrackets(problem)}`;
  } finally {
    await kafka.close();
  }
}

async function drainLetters(settings: Settings, { title, until, log }: Run): Promise<string | null> {
  const directory = deadLettersDirectory(settings.SPOOL_DIR);
  const { spool, report } = await Spool.open({ ...deadSpoolOptions(settings), directory });
  if (report.records === 0 || settings.KAFKA_TOPIC_DEAD_LETTERS === null) {
    await spool.close();
    return report.records === 0
      ? null
      : `${report.records} dead letters have no topic (KAFKA_TOPIC_DEAD_LETTERS)`;
  }
  const cluster = createCluster(settings, log);
  const codec = createCodec(settings.KAFKA_COMPRESSION);
  const pipeline = createDeadLetterPipeline(settings, { codec, cluster, log });
  const { delivery, link, batcher } = pipeline;
  try {
    await delivery.useSpool(spool);
    link?.start();
    const { all, left } = await untilSent(title, () => delivery.spooledRecords, until);
    process.stdout.write(`${title}: ${all - left} of ${all} sent\n`);
    return left === 0 ? null : `${left} dead letters are left${inBrackets(problemOf(pipeline))}`;
  } finally {
    link?.close();
    batcher.stop();
    cluster?.close();
    await delivery.close();
  }
}

/** Waits until nothing is left, or it is time to end. */
async function untilSent(
  title: string,
  count: () => number,
  { deadlineMs, signal }: Until,
): Promise<{ all: number; left: number }> {
  const all = count();
  const progress = new Progress(title, all);
  while (count() > 0 && performance.now() < deadlineMs && !signal.aborted) {
    progress.show(count());
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  progress.end();
  return { all, left: count() };
}

function inBrackets(problem: string | null): string {
  return problem === null ? '' : ` (${problem})`;
}

/** One line that is written over, on a terminal only. */
class Progress {
  readonly #title: string;
  readonly #all: number;
  readonly #beganMs = performance.now();
  #shownMs = Number.NEGATIVE_INFINITY;

  constructor(title: string, all: number) {
    this.#title = title;
    this.#all = all;
  }

  show(left: number): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownMs < PROGRESS_EVERY_MS) return;
    this.#shownMs = now;
    const sent = this.#all - left;
    const perSecond = Math.round(sent / Math.max(0.001, (now - this.#beganMs) / 1000));
    process.stderr.write(`\r\x1b[K${this.#title}: ${sent} of ${this.#all} records sent, ${perSecond}/s`);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
}

/** A first signal ends the drain in order, a second one the process. */
function stopOnSignals(): { signal: AbortSignal; dispose: () => void } {
  const abort = new AbortController();
  const stop = () => abort.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
  return {
    signal: abort.signal,
    dispose: () => {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, stop);
    },
  };
}
