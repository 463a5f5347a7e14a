// The token of the admin port in the real program: SIGHUP has its file read again, with one process and with several.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { runProgram } from '../support/program.ts';
import { waitFor } from '../support/wait.ts';

for (const processes of ['1', '2']) {
  test(`a new token in HTTP_TOKEN_FILE counts after SIGHUP (TCP_PROCESSES=${processes})`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-token-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const [former, next] = ['former-token-0123456789', 'next-token-0123456789'];
    const file = join(directory, 'token');
    writeFileSync(file, `${former}\n`, { mode: 0o600 });
    const port = await freePort();
    const ask = async (path: string, token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status;
    };
    let checked: Promise<void> | undefined;
    let printed = '';
    const { code, out } = await runProgram('src/main.js', [], {
      cwd: directory,
      env: {
        KAFKA_BROKERS: '',
        TCP_PORT: '0',
        TCP_PROCESSES: processes,
        HTTP_HOST: '0.0.0.0',
        HTTP_PORT: String(port),
        HTTP_TOKEN_FILE: file,
        LOG_FORMAT: 'json',
      },
      onOutput: (text, child) => {
        printed = text;
        if (checked !== undefined || !text.includes('TCP server listening')) return;
        const check = async () => {
          assert.deepEqual([await ask('/stats', former), await ask('/stats', next)], [200, 401]);
          writeFileSync(file, `${next}\n`);
          child.kill('SIGHUP');
          // Asking again and again would use up the wrong tokens that an address has.
          await waitFor('the file is read', () => printed.includes('the new content is in use'));
          const answers = [
            await ask('/stats', next),
            await ask('/stats', former),
            await ask('/readyz', former),
          ];
          assert.deepEqual(answers, [200, 401, 200]);
        };
        checked = check().finally(() => child.kill());
      },
    });
    await checked;
    assert.equal(code, 0, out);
    assert.doesNotMatch(out, /former-token|next-token/);
  });
}
