// The jobs that are run against each Kafka: end-to-end tests, with a Kafka of that version beside them.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { KafkaVersion } from '../kafka/version.ts';
import type { Outcome } from './results.ts';

interface Job {
  readonly name: string;
  /** Tests in test/e2e. */
  readonly files: readonly string[];
  readonly isFor: (version: KafkaVersion) => boolean;
}

const usable = ({ isTooOld }: KafkaVersion) => !isTooOld;
/** The tools cannot set quotas and passwords of an older Kafka. */
const adjustable = (version: KafkaVersion) => usable(version) && version.takesAdminRequests;

export const JOBS: readonly Job[] = [
  { name: 'main job', files: ['main-job'], isFor: usable },
  { name: 'outage', files: ['broker-faults'], isFor: usable },
  { name: 'codecs', files: ['codecs'], isFor: usable },
  { name: 'topic creation', files: ['topics', 'controller'], isFor: usable },
  { name: 'rights', files: ['credentials'], isFor: adjustable },
  { name: 'quotas', files: ['quota'], isFor: adjustable },
  { name: 'TLS', files: ['kafka-tls'], isFor: adjustable },
  { name: 'refusal', files: ['too-old'], isFor: ({ isTooOld }) => isTooOld },
];

/** Time limit of a job, the start of its Kafka included. */
const JOB_TIMEOUT_MS = 600_000;
const KILL_AFTER_MS = 15_000;

/** Runs the tests of a job. Their output goes to stderr. */
export async function runJob({ files }: Job, version: KafkaVersion): Promise<Outcome> {
  const from = performance.now();
  const filters = files.map((file) => `test/e2e/${file}.test.ts`);
  const args = [fileURLToPath(new URL('../tests/main.js', import.meta.url)), ...filters];
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
  const count = (word: string) => Number(new RegExp(`^\\S* ?${word} (\\d+)$`, 'm').exec(out)?.[1] ?? 0);
  const counts = { passed: count('pass'), failed: count('fail'), skipped: count('skipped') };
  const seconds = Math.round((performance.now() - from) / 1000);
  return { ...counts, seconds, isGood: code === 0 && counts.passed > 0 };
}

/** Ends a job that takes too long. After SIGTERM the runner stops its Kafka. */
async function endInTime(kill: (signal: NodeJS.Signals) => boolean, signal: AbortSignal): Promise<void> {
  try {
    await sleep(JOB_TIMEOUT_MS, undefined, { signal, ref: false });
    kill('SIGTERM');
    await sleep(KILL_AFTER_MS, undefined, { signal, ref: false });
    kill('SIGKILL');
  } catch {
    // The job has ended by itself.
  }
}
