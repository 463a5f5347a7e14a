// The cost of GET /connections with 10,000 devices, for the devices and for the gateway. Prints its figures.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSecondsOf } from '../../scripts/lib/proc.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

const DEVICES = Number(process.env.BENCH_DEVICES ?? 10_000);
const ROUNDS = 5;
const ROUND_MS = 500;
const KEEPALIVE = '{"type":"keepalive"}\n';

interface Measured {
  /** Of each round. */
  readonly p99s: number[];
  asked: number;
  cpuSeconds: number;
  seconds: number;
}

it(`keepalives are answered as fast while a client asks for pages of ${DEVICES} connections all the time`, async (t) => {
  const gateway = await runGateway(t, temporaryDirectory(t), {
    TCP_HOST: '127.0.0.1',
    TCP_PROCESSES: '1',
    TCP_MAX_CONNECTIONS: '12000',
    KAFKA_BROKERS: '',
  });
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let n = 0; n < DEVICES; n++) {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' });
    socket.on('error', () => socket.destroy());
    socket.on('data', () => {});
    socket.write(
      `{"type":"identify","zipcode":"${n % 1000}","city":"Beverly Hills ${n}","device_id":"roof-${n}"}\n`,
    );
    sockets.push(socket);
    if (n % 200 === 0) await sleep(20);
  }
  await waitFor('all have identified', () => gateway.stats.connections.identified === DEVICES, 60_000);
  const device = await Device.identified(gateway.port);
  const others = setInterval(() => {
    for (let n = 0; n < 50; n++) sockets[Math.floor(Math.random() * DEVICES)]?.write(KEEPALIVE);
  }, 10);
  t.after(() => clearInterval(others));

  /** @param paths a client for each. A single one asks again at once */
  async function measure(paths: readonly string[], measured: Measured): Promise<void> {
    let asks = true;
    const clients = paths.map(async (path) => {
      while (asks) {
        await gateway.ask(path);
        measured.asked++;
        // Without a pause many clients would keep this process from seeing the answers to its keepalives.
        if (paths.length > 1) await sleep(50);
      }
    });
    const times: number[] = [];
    const cpuBefore = cpuSecondsOf(gateway.pid ?? 0);
    const startMs = performance.now();
    while (performance.now() - startMs < ROUND_MS) {
      const sentMs = performance.now();
      device.send(KEEPALIVE);
      await device.readLine();
      times.push(performance.now() - sentMs);
      await sleep(2);
    }
    measured.p99s.push(percentile(times, 0.99));
    measured.cpuSeconds += cpuSecondsOf(gateway.pid ?? 0) - cpuBefore;
    measured.seconds += (performance.now() - startMs) / 1000;
    asks = false;
    await Promise.all(clients);
  }

  for (const paths of [
    ['/connections?sort=rate'],
    ['/connections?search=hills%209'],
    Array.from({ length: 20 }, () => '/connections?sort=rate&search=no-such-text'),
  ]) {
    const quiet = nothingMeasured();
    const busy = nothingMeasured();
    // In turns, because other work of the machine changes from second to second.
    for (let round = 0; round < ROUNDS; round++) {
      await measure([], quiet);
      await measure(paths, busy);
    }
    t.diagnostic(text('nobody asks', quiet));
    t.diagnostic(text(`${paths.length} x ${paths[0]}`, busy));
    // The median of the rounds: a second without a core says nothing about the gateway. The rule is that of attacks.
    const [before = 0, after = 0] = [quiet, busy].map(({ p99s }) => percentile(p99s, 0.5));
    assert.ok(after < Math.max(20, 2 * before), `p99 ${after} ms, and ${before} ms while nobody asks`);
  }
});

function nothingMeasured(): Measured {
  return { p99s: [], asked: 0, cpuSeconds: 0, seconds: 0 };
}

function percentile(times: readonly number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(share * times.length)] ?? 0;
}

function text(name: string, { p99s, asked, cpuSeconds, seconds }: Measured): string {
  const p99 = p99s.map((ms) => ms.toFixed(1)).join(' ');
  const cpu = ((100 * cpuSeconds) / seconds).toFixed(0);
  return `${name}: p99 of each round ${p99} ms, CPU ${cpu} %, ${(asked / seconds).toFixed(1)} answers a second`;
}
