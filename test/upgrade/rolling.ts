// A rolling upgrade: two gateways behind a real HAProxy under load are replaced one after the other, forward and back. The
// load tool reads the topic back and judges.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadResult } from '../../load/report/result.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { HAPROXY_PATH } from '../support/haproxy.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { hasProgram } from '../support/missing-tool.ts';
import { waitFor } from '../support/wait.ts';
import { type Build, THIS_BUILD } from './builds.ts';
import type { Versions } from './play.ts';
import { Served } from './served.ts';

const DEVICES = 60;
/** Readings a second, of all devices. */
const RATE = 600;
/** Before each change, with all devices connected. */
const SERVES_MS = 1_000;
const BACK_MS = 60_000;

export async function rolling({ from, to, kafka }: Versions): Promise<string> {
  if (!hasProgram('haproxy')) throw new Error('HAProxy is missing (on Debian: apt-get install haproxy)');
  const topic = uniqueTopic('rolling');
  await createTopic(kafka.bootstrap, topic, { partitions: 3 });
  const env = { KAFKA_BROKERS: kafka.address, KAFKA_TOPIC_METRICS: topic, KAFKA_TOPIC_DEAD_LETTERS: '' };
  const gateways = [await Served.reserve(env), await Served.reserve(env)];
  const directory = mkdtempSync(join(tmpdir(), 'sluice-rolling-'));
  const children: ChildProcess[] = [];
  try {
    await Promise.all(gateways.map((one) => one.start(from)));
    const port = await freePort();
    const proxy = await startHaproxy(directory, port, gateways);
    children.push(proxy);
    const file = join(directory, 'load.json');
    const load = spawn(
      process.execPath,
      [
        ...[THIS_BUILD.main, 'load', '--target', `127.0.0.1:${port}`, '--brokers', kafka.bootstrap],
        ...['--topic', topic, '-c', String(DEVICES), '--rate', String(RATE), '--duration', '5m'],
        ...['--settle', '10s', '--json', file],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: HAPROXY_PATH } },
    );
    children.push(load);
    const ended = once(load, 'close');
    const output: string[] = [];
    for (const stream of [load.stdout, load.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => output.push(text));
    await waitFor('the load has begun', () => output.length > 0);
    // A device that waits to connect again does not see the next gateway stop.
    const allBack = () =>
      waitFor('all devices are connected', async () => (await connectedTo(gateways)) >= DEVICES, BACK_MS);
    let sentAway = 0;
    for (const build of [to, from]) {
      for (const gateway of gateways) {
        await allBack();
        await new Promise((resolve) => setTimeout(resolve, SERVES_MS));
        const devices = await connectedTo([gateway]);
        assert.ok(devices > DEVICES / 4, `the gateway that is replaced has ${devices} devices`);
        sentAway += devices;
        await replace(gateway, build);
      }
    }
    await allBack();
    load.kill('SIGINT');
    await ended;
    assert.equal(load.exitCode, 0, output.join(''));
    const { counts, readBack } = JSON.parse(readFileSync(file, 'utf8')) as LoadResult;
    const { lost, duplicated, reordered, corrupted, invented } = readBack ?? {};
    assert.deepEqual(
      { lost, duplicated, reordered, corrupted, invented },
      { lost: 0, duplicated: 0, reordered: 0, corrupted: 0, invented: 0 },
    );
    assert.ok(counts.breaks >= sentAway, `${counts.breaks} connections ended, of ${sentAway} at least`);
    assert.ok(counts.confirmed > 10 * DEVICES, `${counts.confirmed} confirmed`);
    return `${counts.confirmed} readings stored over ${counts.breaks} reconnects, none lost or twice`;
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(gateways.map((one) => one.close()));
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function replace(gateway: Served, build: Build): Promise<void> {
  await gateway.stop();
  await gateway.start(build);
}

/** Identified devices, by a figure that all versions have. */
async function connectedTo(gateways: readonly Served[]): Promise<number> {
  let sum = 0;
  for (const { httpPort } of gateways) {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/stats`);
    const { connections } = (await answer.json()) as { connections: { identified: number } };
    sum += connections.identified;
  }
  return sum;
}

async function startHaproxy(
  directory: string,
  port: number,
  gateways: readonly Served[],
): Promise<ChildProcess> {
  const file = join(directory, 'haproxy.cfg');
  const servers = gateways.map(
    (one, n) => `  server sluice-${n + 1} 127.0.0.1:${one.port} check port ${one.httpPort} inter 200ms`,
  );
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  option redispatch 1
  retries 3
  balance leastconn
frontend devices
  bind 127.0.0.1:${port}
  default_backend gateways
backend gateways
  option httpchk GET /readyz
  http-check send hdr Host localhost
${servers.join('\n')}
`,
  );
  const child = spawn('haproxy', ['-db', '-f', file], { env: { PATH: HAPROXY_PATH }, stdio: 'ignore' });
  const callOff = onParentDeath(['kill', '-9', String(child.pid)]);
  child.once('exit', callOff);
  return child;
}
