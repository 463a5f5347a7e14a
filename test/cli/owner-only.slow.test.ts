// Whatever the gateway creates is for the owner only, whatever the umask: the spool, and the heap snapshots and reports
// that Node writes on demand.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../support/program.ts';
import { waitFor } from '../support/wait.ts';

test('files of the gateway, snapshots and reports are for the owner only', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-owner-'));
  const umask = process.umask(0);
  t.after(() => {
    process.umask(umask);
    rmSync(directory, { recursive: true });
  });
  const files = () => readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const count = (ending: string) => files().filter((name) => name.endsWith(ending)).length;
  let signalled = false;
  const { code, out } = await runProgram('src/main.js', [], {
    cwd: directory,
    env: {
      KAFKA_BROKERS: '',
      TCP_PORT: '0',
      HTTP_PORT: '',
      TCP_PROCESSES: '1',
      SPOOL_DIR: 'above/spool',
      LOG_FORMAT: 'json',
      NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2 --report-on-signal --report-signal=SIGWINCH',
    },
    onOutput: (text, child) => {
      if (signalled || !text.includes('TCP server listening')) return;
      signalled = true;
      for (const signal of ['SIGUSR2', 'SIGWINCH'] as const) child.kill(signal);
      void waitFor('a snapshot and a report', () =>
        ['.heapsnapshot', '.json'].every((ending) => count(ending) === 1),
      ).finally(() => child.kill());
    },
  });
  assert.equal(code, 0, out);
  for (const ending of ['.heapsnapshot', '.json', 'lock'])
    assert.ok(count(ending) >= 1, `${ending}: ${files()}`);
  const open = files().filter((name) => (statSync(join(directory, name)).mode & 0o077) !== 0);
  assert.deepEqual(open, []);
});
