// Batches at a low rate leave nothing in the old generation, which only a collection of the whole heap would free
// (docs/decisions/0081).
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PROGRAM = fileURLToPath(new URL('heap-program.js', import.meta.url));
/** A Map that gains and loses a member with each batch leaves hundreds. */
const MAX_BYTES_A_BATCH = 40;

test('a batch leaves nothing in the old generation', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM]);
  assert.ok(Number(stdout) < MAX_BYTES_A_BATCH, `a batch leaves ${stdout.trim()} bytes`);
});
