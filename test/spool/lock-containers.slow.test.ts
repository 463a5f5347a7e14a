// The lock of a spool between containers: each gateway is process 1 in a PID namespace of its own, with a host name of its own
// or not, and no program is in the PATH.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { lockHolder } from '../../src/spool/lock.ts';
import { ownerText } from '../../src/spool/lock-owner.ts';
import { AS_PROCESS_ONE, hasNamespaces, outerPidOf } from '../support/namespaces.ts';
import { type Child, startChild, temporaryDirectory } from './support.ts';

/** Only its own process gets the empty PATH: unshare has to be found. */
const IN_CONTAINER = [...AS_PROCESS_ONE, '/usr/bin/env', 'PATH='];

async function container(t: TestContext, directory: string): Promise<Child> {
  const child = startChild(t, ['lock', directory], { before: IN_CONTAINER });
  await Promise.race([child.line('locked'), child.line('refused')]).catch(() => undefined);
  return child;
}

test('two containers on one volume exclude each other, and a killed one frees it at once', async (t) => {
  if (!hasNamespaces(t)) return;
  const directory = temporaryDirectory(t);
  const first = await container(t, directory);
  assert.deepEqual(first.lines, ['locked']);
  const line = readFileSync(join(directory, 'lock'), 'utf8');
  assert.match(line, new RegExp(`^1 1 ${hostname()} \\d+\n$`));
  // Both have the same process id and host name.
  const second = await container(t, directory);
  assert.match(
    second.lines.join(),
    /^refused SPOOL_LOCKED .* pid 1 on the host or container \S+\. Stop that one, or/,
  );
  assert.equal(await second.ended, 78);

  // From outside: process 1 of this machine is another one, and nobody is told to kill it.
  const owner = lockHolder(directory)?.owner;
  assert.ok(owner !== undefined);
  assert.equal(ownerText(owner), `pid 1 on the host or container ${hostname()}`);

  const outer = await outerPidOf(first.process.pid ?? 0);
  process.kill(outer, 'SIGKILL');
  await once(first.process, 'close');
  assert.equal(lockHolder(directory), undefined);
  assert.deepEqual((await container(t, directory)).lines, ['locked']);
});

test('a lock file that a killed container left does not refuse the next one', async (t) => {
  if (!hasNamespaces(t)) return;
  const directory = temporaryDirectory(t);
  // The form of older versions, and the one of today.
  for (const left of [`1 1 ${hostname()}\n`, `7 1 ${hostname()} 4026531836\n`, '1\n', 'half a li']) {
    writeFileSync(join(directory, 'lock'), left);
    const next = await container(t, directory);
    assert.deepEqual(next.lines, ['locked'], left);
    const outer = await outerPidOf(next.process.pid ?? 0);
    process.kill(outer, 'SIGKILL');
    await once(next.process, 'close');
  }
});

test('a lock that an older version took with the program flock refuses this version, and the other way round', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'lock');
  writeFileSync(path, '1 1 another-container\n');
  const older = startChild(t, ['lock', directory], { before: ['flock', '-n', '-x', path] });
  await Promise.race([older.line('locked'), older.line('refused')]);
  // The child of flock found the lock of its own parent.
  assert.match(
    older.lines.join(),
    /^refused SPOOL_LOCKED .* pid 1 on the host or container another-container\./,
  );
  const newer = startChild(t, ['lock', directory]);
  await newer.line('locked');
  // Without the lock it would never end.
  const refused = startChild(t, ['lock', directory], { before: ['flock', '-n', '-x', '-E', '9', path] });
  assert.equal(await Promise.race([refused.ended, refused.line('locked')]), 9);
});
