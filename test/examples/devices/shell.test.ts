// Bash runs commands that stand in place of a number in its arithmetic, so what a gateway says must never come there.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../support/directory.ts';
import { CLIENTS, commandOf, isSkipped } from './clients.ts';
import { DeviceProcess } from './device-process.ts';
import { ScriptedGateway } from './scripted-gateway.ts';

const shell = CLIENTS.find(({ name }) => name === 'shell');

test('the shell client takes nothing in a reply for a command', { skip: shell === undefined }, async (t) => {
  if (shell === undefined || isSkipped(t, shell)) return;
  const directory = temporaryDirectory(t);
  const gateway = await ScriptedGateway.listen(t);
  const device = new DeviceProcess(t, commandOf(shell, directory), join(directory, 'state'), {
    SLUICE_HOST: '127.0.0.1',
    SLUICE_PORT: `${gateway.port}`,
    INTERVAL_MS: '10',
    SECOND_MS: '20',
    COUNT: '3',
  });
  device.start();
  const mark = join(directory, 'mark');
  const visit = await gateway.visit();
  await visit.line('identify');
  const words = [
    `PATH[$(touch ${mark})0]`,
    `$(touch ${mark})`,
    `kept[$(touch ${mark})0]`,
    'line',
    '1+1',
    '1e3',
    -1,
    2.5,
  ];
  for (const seq of words)
    for (const status of ['identified', 'stored', 'error'])
      visit.say({
        type: 'ack',
        [`a[$(touch ${mark})]`]: 1,
        seq,
        stored_seq: seq,
        reconnect_after_ms: seq,
        code: 'queue_full',
        status,
      });
  visit.say({ type: 'ack', status: 'identified', stored_seq: null });
  await visit.message(3).finally(() => assert.equal(existsSync(mark), false, 'a command in a reply was run'));
  visit.stored(3);
  assert.equal(await device.ended(), 0);
  assert.deepEqual([...device.taken.keys()], [1, 2, 3]);
});
