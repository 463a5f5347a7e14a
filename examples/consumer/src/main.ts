// The consumer: starts the parts, and stops them at SIGTERM or SIGINT.
// Exit codes: 0 after an orderly stop, 78 if the settings or the old tables cannot be used, 1 after any other failure.
import kafkajs from 'kafkajs';
import { registerCodecs } from './codecs.ts';
import { serveHealth } from './health.ts';
import { log, reasonOf } from './log.ts';
import { type Outbox, sendAlarms } from './outbox.ts';
import { CONCURRENCY, type Reading, readTopic, UnreadableError } from './read.ts';
import { SchemaError } from './schema.ts';
import { readSettings, type Settings, SettingsError } from './settings.ts';
import { Store } from './store.ts';

const EXIT_CONFIG = 78;
const LOG_COUNTS_EVERY_MS = 10_000;
/** Shorter than the 10 s of `docker stop`. What is not stored by then stays in Kafka. */
const STOP_DEADLINE_MS = 8_000;

let loggedCounts = '';

process.exitCode = await main();

async function main(): Promise<number> {
  let settings: Settings;
  try {
    settings = readSettings(process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    log.error(error.message);
    return EXIT_CONFIG;
  }
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => beginStop(stop, name));
  registerCodecs();
  const kafka = kafkaOf(settings);
  const store = new Store(settings, CONCURRENCY + 1);
  const state: Reading = { problem: undefined };
  const outbox: Outbox = { problem: undefined, sent: 0 };
  const health = () => ({
    problems: Object.entries({
      postgres: store.problem,
      kafka: state.problem,
      alarms: outbox.problem,
    }).flatMap(([part, problem]) => (problem === undefined ? [] : [`${part}: ${problem}`])),
    counts: { ...store.counts, alarmRecordsSent: outbox.sent },
  });
  const counting = setInterval(() => logCounts(store), LOG_COUNTS_EVERY_MS);
  try {
    if (settings.healthPort !== undefined)
      await serveHealth(settings.healthPort, settings.healthHost, health);
    const { topic, group } = settings;
    log.info('The consumer starts.', { topic, group, node: process.version });
    await store.prepare(stop.signal);
    const parts = [
      readTopic({ kafka, settings, store, state, signal: stop.signal }),
      sendAlarms({ kafka, settings, outbox, signal: stop.signal }),
    ];
    try {
      await Promise.all(parts);
    } finally {
      stop.abort();
      await Promise.allSettled(parts);
    }
  } catch (error) {
    if (!stop.signal.aborted || error instanceof UnreadableError || error instanceof SchemaError) {
      log.error('The consumer ends.', { reason: reasonOf(error) });
      return error instanceof SchemaError ? EXIT_CONFIG : 1;
    }
  } finally {
    clearInterval(counting);
    await store.pool.end();
  }
  logCounts(store);
  log.info('The consumer has stopped. The next one goes on with the first record that is not stored.');
  return 0;
}

function kafkaOf({ brokers, ssl, sasl, group }: Settings): kafkajs.Kafka {
  return new kafkajs.Kafka({
    clientId: group,
    brokers: [...brokers],
    ssl,
    ...(sasl && { sasl: sasl as kafkajs.SASLOptions }),
    connectionTimeout: 5_000,
    retry: { retries: 5, initialRetryTime: 200, maxRetryTime: 2_000 },
    // Its failures reach us as errors, and are logged where it is known what they mean.
    logLevel: kafkajs.logLevel.NOTHING,
  });
}

function beginStop(stop: AbortController, signal: string): void {
  if (stop.signal.aborted) return;
  log.info('The consumer stops.', { signal });
  stop.abort();
  setTimeout(() => {
    log.warn('The stop takes too long and is cut short. What is not stored stays in Kafka.');
    process.exit(1);
  }, STOP_DEADLINE_MS).unref();
}

/** Says nothing if nothing has changed. */
function logCounts({ counts }: Store): void {
  const { skipped, ...others } = counts;
  const reasons = Object.fromEntries(Object.entries(skipped).map(([name, n]) => [`skipped_${name}`, n]));
  const fields = { ...others, ...reasons };
  const text = JSON.stringify(fields);
  if (text === loggedCounts) return;
  loggedCounts = text;
  log.info('Readings since the start.', fields);
}
