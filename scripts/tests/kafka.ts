// Runs a command with a Kafka beside it, and never decides which tests to run.
// The command finds Kafka's address in SLUICE_TEST_KAFKA. SLUICE_TEST_KAFKA_RUNTIME says how the command can start
// brokers of its own: docker, java or none.
import { setTimeout as sleep } from 'node:timers/promises';
import { hasArchive } from '../kafka/class-archive.ts';
import { liveBrokers } from '../kafka/client.ts';
import { type KafkaCluster, startKafka } from '../kafka/cluster.ts';
import { findRuntime, KafkaUnavailableError } from '../kafka/runtime.ts';
import { interrupted, runToEnd } from './command.ts';
import { TRAFFIC_IS_WHOLE } from './traffic.ts';

const EXTERNAL_TIMEOUT_MS = 15_000;

/** Runs the command to its end, then stops the Kafka. Resolves with the command's exit code. */
export async function runWithKafka(command: readonly string[]): Promise<number> {
  let cluster: KafkaCluster | undefined;
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.SLUICE_TEST_KAFKA;
  try {
    const external = process.env.KAFKA_BROKERS;
    if (external) {
      await answering(external);
      env.SLUICE_TEST_KAFKA = external;
      env.SLUICE_TEST_KAFKA_RUNTIME = await runtimeKind();
    } else {
      console.error('Starting a Kafka for the tests ...');
      await makeArchive();
      cluster = await startKafka({ quickJit: true });
      env.SLUICE_TEST_KAFKA = cluster.bootstrap;
      env.SLUICE_TEST_KAFKA_RUNTIME = cluster.kind;
    }
  } catch (error) {
    if (!(error instanceof KafkaUnavailableError)) throw error;
    if (process.env.SLUICE_REQUIRE_KAFKA === '1') {
      console.error(`SLUICE_REQUIRE_KAFKA=1, but there is no Kafka. ${error.message}`);
      return 1;
    }
    env.SLUICE_TEST_KAFKA_RUNTIME = 'none';
    console.error(`\nSKIPPED: all tests that need Kafka. ${error.message}\n`);
  }
  // Tests that are skipped bring no traffic.
  if (env.SLUICE_TEST_KAFKA_RUNTIME === 'none') delete env[TRAFFIC_IS_WHOLE];
  try {
    return interrupted.aborted ? 1 : await runToEnd(command, env);
  } finally {
    await cluster?.stop();
  }
}

/**
 * The first broker that ends writes an archive of its classes, with which a start takes 1.8 s of CPU instead of 8.3 s. On a
 * fresh machine the brokers of the tests run for minutes before one of them ends, and each that began before would pay.
 */
async function makeArchive(): Promise<void> {
  const runtime = await findRuntime();
  if (runtime.kind !== 'java' || hasArchive(runtime, 'broker')) return;
  const cluster = await startKafka({ quickJit: true });
  await cluster.stop();
}

async function answering(bootstrap: string): Promise<void> {
  const deadline = performance.now() + EXTERNAL_TIMEOUT_MS;
  for (;;) {
    try {
      await liveBrokers(bootstrap);
      return;
    } catch (cause) {
      if (performance.now() > deadline || interrupted.aborted) {
        throw new Error(`No Kafka answers at KAFKA_BROKERS=${bootstrap}`, { cause });
      }
      await sleep(200);
    }
  }
}

async function runtimeKind(): Promise<string> {
  try {
    return (await findRuntime()).kind;
  } catch (error) {
    if (error instanceof KafkaUnavailableError) return 'none';
    throw error;
  }
}
