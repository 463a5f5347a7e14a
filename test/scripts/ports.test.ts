import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { claim, freePort } from '../../scripts/kafka/ports.ts';

test('a port that a process was given is given to no other until it ends', async (t) => {
  const module = new URL('../../scripts/kafka/ports.js', import.meta.url).href;
  const program = `const { freePort } = await import('${module}'); console.log(await freePort()); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [given] = await once(child.stdout.setEncoding('utf8'), 'data');
  assert.equal(await claim(Number(given)), false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await claim(Number(given)), true);
});

test('this process is given a port once', async () => {
  assert.equal(await claim(await freePort()), false);
});
