// `sluice spool drain`: the gateway without its devices. Same lock, same delivery, same files; what Kafka did not
// confirm stays where it is.
import { setTimeout as pause } from 'node:timers/promises';
import { durationText } from '../../config/kinds.ts';
import { createLogger } from '../../config/logger.ts';
import type { Settings } from '../../config/settings.ts';
import { createKafka, type Kafka } from '../../kafka/kafka.ts';
import type { RefusedRecord } from '../../kafka/split-batch.ts';
import { listPartitions } from '../../spool/inspect.ts';
import { lockSpool } from '../../spool/lock.ts';
import { partDirectory, partsIn } from '../../spool/parts.ts';
import type { DrainOptions } from './command.ts';
import { say } from './output.ts';

const POLL_MS = 50;
const PROGRESS_EVERY_MS = 500;
/** For dead letters, once all else is in Kafka. */
const LETTERS_TIMEOUT_MS = 5000;
const EXIT_MS = 500;

export async function drain(settings: Settings, { topic, timeout }: DrainOptions): Promise<number> {
  const directory = settings.SPOOL_DIR;
  // Refuses beside a gateway also where there is nothing to send yet.
  for (const part of [directory, ...partsIn(directory).map((one) => one.directory)])
    lockSpool(part).release();
  const found = await topicsIn(directory, topic);
  if (found.length === 0) say(`nothing${topic === undefined ? '' : ` of topic ${topic}`} in ${directory}`);
  const stop = stopOnSignals();
  const deadlineMs = performance.now() + timeout;
  try {
    for (const { name, part, title } of found) {
      const here = { ...settings, KAFKA_TOPIC_METRICS: name, SPOOL_DIR: part };
      const reason = await drainTopic(here, title, deadlineMs, stop.signal);
      if (reason === null) continue;
      const why = stop.signal.aborted ? 'stopped' : `not empty after ${durationText(timeout)}`;
      say(`${why}: ${reason}. The rest is still in ${directory}`);
      return 1;
    }
    return 0;
  } finally {
    stop.dispose();
    // As in serve.ts: a connection someone forgot must not hold the process.
    setTimeout(() => process.exit(), EXIT_MS).unref();
  }
}

/** Each topic of each process's part. */
async function topicsIn(directory: string, topic: string | undefined) {
  const places = await listPartitions(directory);
  const found = new Map(
    places
      .filter((place) => topic === undefined || place.topic === topic)
      .map((place) => [`${place.process} ${place.topic}`, place]),
  );
  return [...found.values()].map((place) => ({
    name: place.topic,
    part: partDirectory(directory, place.process),
    title: place.process === 0 ? place.topic : `${place.topic} (process-${place.process})`,
  }));
}

/** Null where all of it is in Kafka, otherwise what is left and why. */
async function drainTopic(
  settings: Settings,
  title: string,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const log = createLogger({ LOG_LEVEL: 'error', LOG_FORMAT: settings.LOG_FORMAT }, process.stderr);
  const kafka: Kafka = createKafka(
    settings,
    { recordRefused: (record, reason) => bury(kafka, record, reason) },
    log,
  );
  try {
    await kafka.start();
    const all = kafka.delivery.spooledRecords;
    const progress = new Progress(title, all);
    while (kafka.delivery.spooledRecords > 0 && performance.now() < deadlineMs && !signal.aborted) {
      progress.show(kafka.delivery.spooledRecords);
      await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
    progress.end();
    const left = kafka.delivery.spooledRecords;
    const { deadLettered } = kafka.delivery.counters;
    const refused =
      deadLettered === 0 ? '' : `, ${deadLettered} of them refused by Kafka and sent to the dead letters`;
    if (all > 0) process.stdout.write(`${title}: ${all - left} of ${all} records sent${refused}\n`);
    if (left === 0) {
      await Promise.race([kafka.flush(), pause(LETTERS_TIMEOUT_MS, undefined, { ref: false })]);
      return null;
    }
    const problem = kafka.link?.problem ?? kafka.delivery.counters.lastError ?? kafka.delivery.spoolTrouble;
    return `${left} records of ${title} are left${problem === null ? '' : ` (${problem})`}`;
  } finally {
    await kafka.close();
  }
}

/** As the gateway does (refused-record.ts), without a device to tell. */
async function bury(kafka: Kafka, { value, timestampMs }: RefusedRecord, reason: string): Promise<void> {
  // Our own encoding (protocol/record-frame.ts), so the shape is known.
  const { connection_id: connectionId, zipcode } = JSON.parse(value.toString()) as {
    connection_id: string;
    zipcode: string;
  };
  kafka.deadLetters?.record({
    value,
    reason,
    connectionId,
    zipcode,
    remoteAddress: '',
    receivedAtMs: timestampMs,
  });
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
