// The gateway starts on a spool that a newer program wrote.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../support/directory.ts';
import { runProgram } from '../support/program.ts';

const GATEWAY = { TCP_HOST: '127.0.0.1', TCP_PORT: '0', HTTP_PORT: '', KAFKA_BROKERS: '127.0.0.1:1' };

for (const [processes, part] of [
  ['1', '.'],
  ['1', 'dead-letters'],
  ['2', '.'],
  ['2', 'process-1'],
  ['1', 'process-7/dead-letters'],
] as const) {
  test(`a gateway whose spool was written by a newer program ends with exit code 78 and says what to do (${processes} processes, in ${part})`, async (t) => {
    const root = temporaryDirectory(t);
    const newer = join(root, part);
    mkdirSync(newer, { recursive: true });
    writeFileSync(join(newer, 'format'), '{"version":3}');
    const env = { ...GATEWAY, LOG_FORMAT: 'json', SPOOL_DIR: root, TCP_PROCESSES: processes };
    const { code, out } = await runProgram('src/main.js', [], { env });
    assert.equal(code, 78, out);
    const lines = out.split('\n').filter((line) => line.startsWith('{'));
    const said = lines
      .map((line) => JSON.parse(line) as { code?: string; msg: string })
      .filter((line) => line.code === 'SPOOL_FORMAT');
    assert.equal(said.length, 1, out);
    assert.ok(said[0]?.msg.includes(`the spool in ${newer} has format version 3`), said[0]?.msg);
    assert.match(said[0]?.msg ?? '', /Start the newer program again, or empty the spool/);
    const left = readdirSync(newer).filter((name) => !/^(lock|process-\d)$/.test(name));
    assert.deepEqual(left, ['format']);
  });
}
