// The limit on open files: a start that could serve almost nobody is refused, and a gateway that runs out of descriptors
// keeps the readings it has taken and answers its operator.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { limitOpenFiles, lowestFreeDescriptor } from '../support/open-files.ts';
import { waitFor } from '../support/wait.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

/** The answer to a request on a connection of its own, empty if there is none. */
async function askAnew(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  return text(socket).catch(() => '');
}

for (const processes of ['1', '2']) {
  test(`a start that could serve less than a tenth of TCP_MAX_CONNECTIONS is refused (TCP_PROCESSES=${processes})`, async (t) => {
    const env = {
      PATH: process.env.PATH ?? '',
      TCP_HOST: '127.0.0.1',
      TCP_PORT: '0',
      HTTP_PORT: '',
      KAFKA_BROKERS: '',
      LOG_FORMAT: 'json',
      TCP_PROCESSES: processes,
    };
    // 100 for each process above the reserve, of the 10,000 that are the default.
    const child = spawn('prlimit', ['--nofile=400:400', process.execPath, MAIN], {
      cwd: temporaryDirectory(t),
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = text(child.stdout);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    assert.equal(code, 78);
    const said = `enough for ${100 * Number(processes)} of TCP_MAX_CONNECTIONS=10000 connections; raise it to at least`;
    assert.ok((await output).includes(said), await output);
  });

  test(`a gateway without descriptors goes on spooling and answers on the admin port (TCP_PROCESSES=${processes})`, async (t) => {
    const directory = temporaryDirectory(t);
    const gateway = await runGateway(t, directory, {
      TCP_PROCESSES: processes,
      KAFKA_BROKERS: '',
      SPOOL_DIR: join(directory, 'spool'),
      // Each segment is a file to open.
      SPOOL_SEGMENT_BYTES: '64KiB',
    });
    const device = await Device.identified(gateway.port);
    t.after(() => device.destroy());
    const pids = [gateway.pid ?? 0, ...gateway.children];
    // None is left: the reserve is full, and every number below the limit is in use.
    for (const pid of pids) limitOpenFiles(pid, lowestFreeDescriptor(pid));
    let seq = 0;
    const sendAll = async (count: number): Promise<void> => {
      for (const last = seq + count; seq < last; ) {
        device.sendMessages({ type: 'metrics', seq: ++seq, data: { a: `${seq}`.padEnd(900, 'x') } });
        if (seq % 20 === 0) await waitFor('stored', async () => (await device.read()).seq === seq);
      }
    };
    await sendAll(1000);
    await waitFor('it is said', () => gateway.said(/has run out of open files/));
    await waitFor('all is on disk', () => gateway.stats.records.spooled === 1000);
    const newcomer = await Device.connect(gateway.port);
    await waitFor('the newcomer is turned away', () => newcomer.ended);
    const metrics = await askAnew(gateway.httpPort, '/metrics');
    assert.match(metrics, /sluice_records_accepted_total 1000/);
    assert.match(metrics, /process_resident_memory_bytes [1-9]/);
    assert.match(
      await gateway.ask('/readyz?verbose'),
      /connections +degraded \(open_files\).*run out of open files/,
    );

    for (const pid of pids) limitOpenFiles(pid, 4096);
    await waitFor('it is over', () => gateway.said(/Enough files can be opened again/));
    const next = await waitFor('a device is served', () =>
      Device.identified(gateway.port).catch(() => false as const),
    );
    next.destroy();
    await sendAll(100);
    gateway.signal('SIGTERM');
    assert.equal(await gateway.exited(), 0);
  });
}

test('devices that come at once leave the admin port its descriptors', async (t) => {
  const directory = temporaryDirectory(t);
  const gateway = await runGateway(t, directory, {
    KAFKA_BROKERS: '',
    SPOOL_DIR: join(directory, 'spool'),
  });
  const pid = gateway.pid ?? 0;
  limitOpenFiles(pid, lowestFreeDescriptor(pid) + 40);
  const devices = await Promise.all(Array.from({ length: 100 }, () => Device.connect(gateway.port)));
  t.after(() => devices.forEach((device) => void device.destroy()));
  await waitFor('most are closed', () => devices.filter(({ ended }) => ended).length >= 50);
  // Without a second between two looks at the descriptors in it.
  for (let times = 0; times < 20; times++) assert.match(await askAnew(gateway.httpPort, '/healthz'), /ok/);
});
