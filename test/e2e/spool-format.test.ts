// The gateway starts on a spool that a newer program wrote.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

function gateway(env: Readonly<Record<string, string>>): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [MAIN], {
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH ?? '',
      TCP_HOST: '127.0.0.1',
      TCP_PORT: '0',
      HTTP_PORT: '',
      KAFKA_BROKERS: '127.0.0.1:1',
      LOG_FORMAT: 'json',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.resume();
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out })));
}

describe('a gateway whose spool was written by a newer program', () => {
  for (const [processes, part] of [
    ['1', '.'],
    ['1', 'dead-letters'],
    ['2', '.'],
    ['2', 'process-1'],
    ['1', 'process-7/dead-letters'],
  ] as const) {
    it(`ends with exit code 78 and says what to do (${processes} processes, in ${part})`, async (t) => {
      const root = mkdtempSync(join(tmpdir(), 'sluice-format-'));
      t.after(() => rmSync(root, { recursive: true, force: true }));
      const newer = join(root, part);
      mkdirSync(newer, { recursive: true });
      writeFileSync(join(newer, 'format'), '{"version":3}');
      const { code, out } = await gateway({ SPOOL_DIR: root, TCP_PROCESSES: processes });
      assert.equal(code, 78, out);
      const said = out
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { code?: string; msg: string })
        .filter((line) => line.code === 'SPOOL_FORMAT');
      assert.equal(said.length, 1, out);
      assert.ok(said[0]?.msg.includes(`the spool in ${newer} has format version 3`), said[0]?.msg);
      assert.match(said[0]?.msg ?? '', /Start the newer program again, or empty the spool/);
      assert.deepEqual(
        readdirSync(newer).filter((name) => !/^(lock|process-\d)$/.test(name)),
        ['format'],
      );
    });
  }
});
