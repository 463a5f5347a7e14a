// Runs a command with a Kafka beside it: node dist/scripts/with-kafka.js COMMAND [ARGS].
// The command finds the address in SLUICE_TEST_KAFKA and, in SLUICE_TEST_KAFKA_RUNTIME, what it could start
// brokers of its own on (docker, java or none). Ends with the command's exit code and prints nothing after it.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { liveBrokers } from './kafka/client.ts';
import { type KafkaCluster, startKafka } from './kafka/cluster.ts';
import { findRuntime, KafkaUnavailableError } from './kafka/runtime.ts';

const EXTERNAL_TIMEOUT_MS = 15_000;

let child: ChildProcess | undefined;
let interrupted: NodeJS.Signals | undefined;

// The command ends first, then Kafka. A second signal goes the same way.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupted = signal;
    child?.kill(signal);
  });
}

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new TypeError('usage: with-kafka COMMAND [ARGS]');
process.exitCode = await withKafka(command, args);

async function withKafka(command: string, args: readonly string[]): Promise<number> {
  let cluster: KafkaCluster | undefined;
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.SLUICE_TEST_KAFKA;
  // As a runner that is itself run by a runner, node --test would print in its internal format.
  delete env.NODE_TEST_CONTEXT;
  try {
    const external = process.env.KAFKA_BROKERS;
    if (external) {
      await answering(external);
      env.SLUICE_TEST_KAFKA = external;
      env.SLUICE_TEST_KAFKA_RUNTIME = await runtimeKind();
    } else {
      console.error('Starting a Kafka for the tests ...');
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
  try {
    return interrupted ? 1 : await runToEnd(command, args, env);
  } finally {
    await cluster?.stop();
  }
}

function runToEnd(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    child = spawn(command, args, { stdio: 'inherit', env });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function answering(bootstrap: string): Promise<void> {
  const deadline = performance.now() + EXTERNAL_TIMEOUT_MS;
  for (;;) {
    try {
      await liveBrokers(bootstrap);
      return;
    } catch (cause) {
      if (performance.now() > deadline || interrupted) {
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
