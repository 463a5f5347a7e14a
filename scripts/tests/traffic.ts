// Has the tests of a run record their traffic: lines of devices and answers to them, records, answers of the admin port.
// The files *.last.test.ts hold it against the contracts in docs/contracts. test/support/traffic does the recording.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The directory of the recorded traffic. Not set = nothing is recorded. */
export const TRAFFIC = 'SLUICE_TEST_TRAFFIC';
/** Set if every test file runs, so the traffic must have each kind of message. */
export const TRAFFIC_IS_WHOLE = 'SLUICE_TEST_TRAFFIC_IS_WHOLE';

// The recorder wraps classes of single modules, so the gateway has to load these (package.json, `imports`).
const MODULES = '--conditions=sluice-modules';
const PRELOAD = `--import=${new URL('../../test/support/traffic/preload.js', import.meta.url).href}`;
const RECORDER = `${MODULES} ${PRELOAD}`;

/** The environment in which a process of Node records, empty if this run does not. */
export function recordingEnv(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const directory = env[TRAFFIC];
  if (!directory) return {};
  const others = (env.NODE_OPTIONS ?? '').replace(RECORDER, '').trim();
  return { [TRAFFIC]: directory, NODE_OPTIONS: `${others} ${RECORDER}`.trim() };
}

/** Records from now on in all child processes. A directory that the caller has named is kept. @returns the way to undo it */
export function recordTraffic({ isWhole }: { isWhole: boolean }): () => void {
  const given = process.env[TRAFFIC];
  const directory = given || mkdtempSync(join(tmpdir(), 'sluice-traffic-'));
  const { NODE_OPTIONS: former } = process.env;
  process.env[TRAFFIC] = directory;
  Object.assign(process.env, recordingEnv());
  if (isWhole) process.env[TRAFFIC_IS_WHOLE] = '1';
  return () => {
    if (former === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = former;
    delete process.env[TRAFFIC_IS_WHOLE];
    if (given) return;
    delete process.env[TRAFFIC];
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  };
}
