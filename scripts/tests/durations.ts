// How long each test file took when it last ran here, which decides the order of the next run.
import { readFileSync } from 'node:fs';
import type { TestFile } from './files.ts';

/** Milliseconds by path of the compiled file; empty on the first run. */
export function readDurations(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>;
  } catch {
    return {};
  }
}

/** Without a measurement, as on a fresh checkout: long kinds before short ones. */
const ASSUMED_MS = {
  slow: 15_000,
  kafka: 20_000,
  bench: 20_000,
  long: 60_000,
  unit: 1_000,
  last: 1_500,
} as const;

/**
 * And files that take much longer than others of their kind, in seconds. If one of them began late, it would run alone at
 * the end. These are rough, since only the order matters.
 */
export const LONG_FILES: Readonly<Record<string, number>> = {
  'test/chaos/chaos.test.ts': 130,
  'test/cli/spool.slow.test.ts': 110,
  // On a fresh machine Helm is built beside the tests (.ci/run), and these files would wait for it. So they come last.
  'test/helm/chart.slow.test.ts': 5,
  'test/helm/prestop.slow.test.ts': 5,
  'test/helm/refusals.slow.test.ts': 5,
  'test/simulation/histories.slow.test.ts': 100,
  'test/e2e/stop.slow.test.ts': 95,
  'test/chaos/keeps.test.ts': 80,
  'test/crash/placing.slow.test.ts': 80,
  'test/e2e/processes.test.ts': 70,
  'test/examples/consumer/kills.test.ts': 40,
  'test/examples/devices/cuts.test.ts': 25,
  'test/examples/devices/kills.test.ts': 25,
  'test/examples/devices/manners.slow.test.ts': 45,
  'test/crash/topics.slow.test.ts': 70,
  'test/cli/remote/commands.slow.test.ts': 60,
  'test/e2e/credentials.test.ts': 55,
  'test/spool/upgrade.slow.test.ts': 55,
  'test/bench/bench-command.test.ts': 50,
  'test/crash/resend.slow.test.ts': 50,
  'test/docs/commands-by-hand.slow.test.ts': 55,
  'test/docs/commands-with-kafka.test.ts': 15,
  'test/e2e/other-topics.test.ts': 50,
  'test/processes/accepting.slow.test.ts': 50,
  'test/load/restart.test.ts': 50,
  'test/e2e/broker-faults.test.ts': 45,
  'test/dashboard/live.test.ts': 45,
  'test/fuzz/fuzz.test.ts': 40,
  'test/load/command-line.slow.test.ts': 40,
  'test/server/memory.slow.test.ts': 40,
  'test/e2e/night.test.ts': 35,
  'test/senders/senders.test.ts': 40,
  'test/monitoring/prometheus.test.ts': 25,
  'test/senders/formats.test.ts': 35,
  'test/crash/disk.slow.test.ts': 30,
  'test/e2e/resume.test.ts': 30,
  'test/upgrade/upgrade.test.ts': 25,
  'test/e2e/logins.test.ts': 35,
  'test/conformance/conformance.test.ts': 15,
  'test/image/image.slow.test.ts': 30,
  'test/lines/port.test.ts': 15,
  'test/presence/presence.test.ts': 10,
  'test/protocol/old-server/old-server.test.ts': 10,
};

/** The longest first, so that no long file is left alone at the end while other cores have nothing to do. */
export function longestFirst(
  files: readonly TestFile[],
  tookMs: Readonly<Record<string, number>>,
): TestFile[] {
  const assumedMs = ({ source, kind }: TestFile) =>
    source in LONG_FILES ? (LONG_FILES[source] ?? 0) * 1000 : ASSUMED_MS[kind];
  const duration = (file: TestFile) => tookMs[file.path] ?? assumedMs(file);
  return [...files].sort((a, b) => duration(b) - duration(a));
}
