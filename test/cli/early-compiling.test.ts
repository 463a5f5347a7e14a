// An option that this version of V8 does not have would be an error on stderr at each start.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('../../src/cli/early-compiling.js', import.meta.url).href;

test('compiling early uses no option that this version of V8 does not have', () => {
  const script = `import(${JSON.stringify(MODULE)}).then(({ compileEarly }) => compileEarly())`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});
