// Taps and profiles of several real processes: their files parse and leave nothing behind, whoever goes or is killed.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Device } from '../support/device.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { TapClient } from '../support/tap.ts';
import { waitFor } from '../support/wait.ts';

const TOKEN = 'profile-token';
const METRICS = '{"type":"metrics","data":{"a":1}}\n';

let directory: string;
let temporary: string;
let gateway: GatewayProcess;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-profile-test-'));
  temporary = join(directory, 'tmp');
  mkdirSync(temporary);
  gateway = await GatewayProcess.reserve(directory, {
    KAFKA_BROKERS: '',
    TCP_PROCESSES: '2',
    HTTP_TOKEN: TOKEN,
    HTTP_PROFILING: 'true',
    // So that readings wait in memory for a moment.
    KAFKA_BATCH_TIMEOUT: '2s',
    TMPDIR: temporary,
  });
  await gateway.start();
});
after(async () => {
  await gateway.close();
  rmSync(directory, { recursive: true });
});

function profile(query: string, headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }) {
  return fetch(`http://127.0.0.1:${gateway.httpPort}/profile?${query}`, { method: 'POST', headers });
}

/** Descriptors of files in the temporary directory, with or without a name. */
function openFiles(): string[] {
  return [gateway.pid ?? 0, ...gateway.children]
    .flatMap((pid) => {
      try {
        return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return [];
      }
    })
    .filter((path) => path.startsWith(temporary));
}

async function nothingIsLeft(): Promise<void> {
  await waitFor('no file is open', () => openFiles().length === 0);
  assert.deepEqual(readdirSync(temporary), []);
}

/** A second profile may begin a moment after the first has ended. */
async function profileWhenFree(query: string): Promise<Response> {
  return waitFor('a profile', async () => {
    const response = await profile(query);
    return response.status !== 409 && response;
  });
}

async function isCpuProfile(response: Response, process: string): Promise<void> {
  assert.equal(response.status, 200);
  assert.match(
    response.headers.get('content-disposition') ?? '',
    new RegExp(`^attachment; filename="sluice-cpu-${process}-\\d{8}T\\d{6}Z\\.cpuprofile"$`),
  );
  const { nodes } = (await response.json()) as { nodes: { callFrame: { url: string } }[] };
  assert.ok(nodes.some(({ callFrame }) => callFrame.url.includes('/dist/src/')));
  await nothingIsLeft();
}

test('a CPU profile of the first process names functions of Sluice', async () => {
  await isCpuProfile(await profile('kind=cpu&seconds=1&process=first'), 'first');
});

test('a heap snapshot has the classes of Sluice, and devices are served after it', async () => {
  const device = await Device.identified(gateway.port);
  const response = await profileWhenFree('kind=heap&process=0');
  assert.equal(response.status, 200);
  const { snapshot, nodes, strings } = (await response.json()) as {
    snapshot: { meta: { node_fields: string[] }; node_count: number };
    nodes: number[];
    strings: string[];
  };
  assert.equal(nodes.length, snapshot.node_count * snapshot.meta.node_fields.length);
  for (const name of ['Batcher', 'TcpServer', 'JobQueue']) assert.ok(strings.includes(name), name);
  device.sendMessages({ type: 'keepalive' });
  assert.equal((await device.read()).type, 'ack');
  device.destroy();
  await nothingIsLeft();
});

test('a profile needs the token, and a valid query', async () => {
  assert.equal((await profile('kind=cpu', {})).status, 401);
  assert.equal((await profile('kind=cpu', { authorization: 'Bearer wrong' })).status, 401);
  for (const query of ['kind=disk', 'kind=cpu&seconds=0', 'kind=cpu&seconds=61', 'kind=cpu&second=1'])
    assert.equal((await profile(query)).status, 400, query);
  for (const process of ['2', '-1', '', '1e0', '../0'])
    assert.equal((await profile(`kind=cpu&process=${process}`)).status, 404, process);
});

test('while one profile runs another one is refused, and a client that goes ends it', async () => {
  const sent = request({
    host: '127.0.0.1',
    port: gateway.httpPort,
    path: '/profile?kind=cpu&seconds=60',
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
  }).end();
  sent.on('error', () => {});
  await waitFor('the file is there without a name', () =>
    openFiles().some((path) => path.endsWith('(deleted)')),
  );
  assert.equal((await profile('kind=cpu&seconds=1&process=1')).status, 409);
  sent.destroy();
  await nothingIsLeft();
});

test('a client that goes in the middle of a heap snapshot leaves nothing, and a CPU profile follows', async () => {
  const pids = gateway.children;
  const sent = request({
    host: '127.0.0.1',
    port: gateway.httpPort,
    path: '/profile?kind=heap&process=1',
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
  }).end();
  sent.on('error', () => {});
  await waitFor('the snapshot', () => openFiles().some((path) => path.endsWith('(deleted)')));
  await sleep(60);
  sent.destroy();
  await nothingIsLeft();
  assert.deepEqual(gateway.children, pids);
  await isCpuProfile(await profileWhenFree('kind=cpu&seconds=1&process=1'), '1');
});

test('a process that is killed while it is tapped and profiled leaves no file, and both answers say so', async (t) => {
  const { processes } = JSON.parse(await gateway.ask('/processes')) as {
    processes: { index: number; pid: number }[];
  };
  const [stopped] = processes;
  assert.ok(stopped !== undefined);
  const tap = await TapClient.open(gateway.httpPort, '?limit_per_second=100');
  t.after(() => tap.close());
  assert.deepEqual(tap.events[0]?.processes, [0, 1]);
  const profiled = profile(`kind=cpu&seconds=60&process=${stopped.index}`);
  await waitFor('the file', () => openFiles().some((path) => path.endsWith('(deleted)')));
  const devices: Device[] = [];
  t.after(() => {
    for (const device of devices) device.destroy();
  });
  const acceptedBy = (process: number) =>
    tap.lines.filter((line) => line.process === process && line.fate === 'accepted');
  // The kernel chooses the process of a connection.
  await waitFor('readings of both', async () => {
    const device = await Device.identified(gateway.port);
    devices.push(device);
    device.send(METRICS);
    return acceptedBy(0).length > 0 && acceptedBy(1).length > 0;
  });
  process.kill(stopped.pid, 'SIGKILL');
  const lost = acceptedBy(stopped.index).at(-1);
  await tap.until('the unknown fate', ({ id, fate }) => id === lost?.id && fate === 'unknown');
  const missing = tap.events.filter(({ event }) => event === 'missing').map(({ processes: some }) => some);
  assert.deepEqual(missing, [[stopped.index], []]);
  const other = acceptedBy(1 - stopped.index).at(-1);
  await tap.until('the fate of the other', ({ id, fate }) => id === other?.id && fate === 'spooled');
  const response = await profiled;
  assert.equal(response.status, 503);
  assert.match(await response.text(), /the process ended/);
  await nothingIsLeft();
});

test('all processes killed at once leave no file', async () => {
  const response = profile('kind=cpu&seconds=20&process=1').catch(() => undefined);
  await waitFor('the file', () => openFiles().some((path) => path.endsWith('(deleted)')));
  await gateway.kill();
  assert.equal(await response, undefined);
  assert.deepEqual(readdirSync(temporary), []);
});
