// The promises of microcontroller.c to a board: no memory but its own, no floating point, and how much memory that is.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../support/directory.ts';
import { skipLoudly } from '../../support/missing-tool.ts';
import { CLIENTS, isSkipped } from './clients.ts';

const SOURCE = fileURLToPath(new URL('../../../../examples/devices/microcontroller.c', import.meta.url));
const MAX_STATIC_BYTES = 12 * 1024;

/** Its object file, or undefined without a compiler. */
function compiled(t: TestContext): string | undefined {
  const client = CLIENTS.find(({ name }) => name === 'microcontroller');
  if (client === undefined) skipLoudly(t, 'DEVICE_CLIENTS leaves it out');
  if (client === undefined || isSkipped(t, client)) return undefined;
  const object = join(temporaryDirectory(t), 'microcontroller.o');
  execFileSync('cc', ['-std=c11', '-Os', '-c', '-o', object, SOURCE]);
  return object;
}

test('the microcontroller asks nobody for memory', (t) => {
  const object = compiled(t);
  if (object === undefined) return;
  const called = execFileSync('nm', ['-u', object], { encoding: 'utf8' });
  assert.match(called, /\bsnprintf\b/);
  assert.doesNotMatch(called, /\b(malloc|calloc|realloc|strdup|alloca)\b/);
});

test('the microcontroller has little static memory', (t) => {
  const object = compiled(t);
  if (object === undefined) return;
  const [, data, bss] =
    /^\s*\d+\s+(\d+)\s+(\d+)/m.exec(execFileSync('size', [object], { encoding: 'utf8' })) ?? [];
  const bytes = Number(data) + Number(bss);
  t.diagnostic(`${bytes} bytes`);
  assert.ok(bytes > 0 && bytes <= MAX_STATIC_BYTES, `${bytes} bytes`);
});

test('the microcontroller has no floating point', () => {
  const code = readFileSync(SOURCE, 'utf8').replaceAll(/\/\/.*$/gm, '');
  assert.doesNotMatch(code, /\b(float|double|strtod|atof)\b|%[\d.]*[efg]\b|\d\.\d/);
});
