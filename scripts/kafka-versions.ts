// Runs some end-to-end tests with each version of Kafka that can be started here (npm run kafka-versions [-- VERSION
// ...]). CI runs them with the newest version only. Prints a table. The exit code is 1 if a test failed or none ran.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { textTable } from './docs/markdown.ts';
import { findVersion, KAFKA_VERSIONS, type KafkaVersion } from './kafka/version.ts';

const JOBS = [
  { name: 'main job', files: ['main-job'] },
  { name: 'outage', files: ['broker-faults'] },
  { name: 'topic creation', files: ['topics', 'controller'] },
] as const;
/** Time limit of a run, the start of its Kafka included. */
const RUN_TIMEOUT_MS = 600_000;
const KILL_AFTER_MS = 15_000;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly isGood: boolean;
}

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const versions = names.length === 0 ? KAFKA_VERSIONS : names.map(findVersion);
  if (!versions.every((version) => version !== undefined) || process.env.KAFKA_BROKERS) {
    console.error(`usage: npm run kafka-versions [-- ${KAFKA_VERSIONS.map(({ name }) => name).join(' ')}]`);
    console.error('It starts each Kafka itself, so KAFKA_BROKERS must not be set.');
    return 2;
  }
  const rows: string[][] = [];
  let isGood = true;
  for (const version of versions) {
    const cells = [`${version.name}${version.needsZooKeeper ? ' with ZooKeeper' : ''}`];
    for (const { name, files } of JOBS) {
      console.error(`\nKafka ${version.name}: ${name}`);
      const outcome = await runTests(version, files);
      isGood &&= outcome.isGood;
      cells.push(inWords(outcome));
    }
    rows.push(cells);
  }
  console.log(`\n${textTable(['Kafka', ...JOBS.map(({ name }) => name)], rows)}`);
  return isGood ? 0 : 1;
}

function inWords({ passed, failed, skipped, seconds, isGood }: Outcome): string {
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  return `${isGood ? 'ok' : 'FAILED'}: ${counts} (${seconds.toFixed(0)} s)`;
}

async function runTests(version: KafkaVersion, files: readonly string[]): Promise<Outcome> {
  const from = performance.now();
  const filters = files.map((file) => `test/e2e/${file}.test.ts`);
  const args = [fileURLToPath(new URL('./tests/main.js', import.meta.url)), ...filters];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, SLUICE_KAFKA_VERSION: version.name, SLUICE_REQUIRE_KAFKA: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    process.stderr.write(text);
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  const abort = new AbortController();
  void endInTime(child.kill.bind(child), abort.signal);
  const code = await ended;
  abort.abort();
  const count = (what: string) => Number(new RegExp(`^\\S* ?${what} (\\d+)$`, 'm').exec(out)?.[1] ?? 0);
  const counts = { passed: count('pass'), failed: count('fail'), skipped: count('skipped') };
  const seconds = (performance.now() - from) / 1000;
  return { ...counts, seconds, isGood: code === 0 && counts.passed > 0 };
}

/** Ends a run that takes too long. After SIGTERM the runner stops its Kafka. */
async function endInTime(kill: (signal: NodeJS.Signals) => boolean, signal: AbortSignal): Promise<void> {
  try {
    await sleep(RUN_TIMEOUT_MS, undefined, { signal, ref: false });
    kill('SIGTERM');
    await sleep(KILL_AFTER_MS, undefined, { signal, ref: false });
    kill('SIGKILL');
  } catch {
    // The run has ended by itself.
  }
}
