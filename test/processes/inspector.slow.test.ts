// SIGUSR1 opens the inspector of a Node program on loopback, without a password. The gateway must not do that.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

const LISTEN = '0A';

/** The TCP ports on which a process listens. */
function listeningPorts(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const ports = lines.flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    return state === LISTEN && inodes.has(inode)
      ? Number.parseInt(local.slice(local.indexOf(':') + 1), 16)
      : [];
  });
  return [...new Set(ports)];
}

test('a plain Node program opens its inspector at SIGUSR1, so this test would see it', async (t) => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const pid = child.pid ?? 0;
  assert.deepEqual(listeningPorts(pid), []);
  process.kill(pid, 'SIGUSR1');
  await waitFor('the inspector listens', () => listeningPorts(pid).length > 0);
});

for (const processes of ['1', '2']) {
  test(`SIGUSR1 opens no inspector and the gateway goes on (TCP_PROCESSES=${processes})`, async (t) => {
    const directory = temporaryDirectory(t);
    const env = { TCP_PROCESSES: processes, KAFKA_BROKERS: '', SPOOL_DIR: join(directory, 'spool') };
    const gateway = await runGateway(t, directory, env);
    const device = await Device.identified(gateway.port);
    t.after(() => device.destroy());
    const pids = [gateway.pid ?? 0, ...gateway.children];
    assert.equal(pids.length, processes === '1' ? 1 : 3);
    const before = pids.map(listeningPorts);
    for (const pid of pids) process.kill(pid, 'SIGUSR1');
    await sleep(1000);
    assert.deepEqual(pids.map(listeningPorts), before);
    assert.ok(!gateway.said(/Debugger/), gateway.logTail());
    device.sendMessages({ type: 'metrics', seq: 1, data: { t: 1 } });
    assert.equal((await device.read()).status, 'stored');
    await Device.identified(gateway.port).then((other) => other.destroy());
  });
}
