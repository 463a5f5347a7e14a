// Two gateways behind HAProxy under load: one is drained and started again, then the other is killed with -9 and started
// again. The load tool reads the topic back and judges.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { LoadResult } from '../../load/report/result.ts';
import { temporaryDirectory } from '../support/directory.ts';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { uniqueTopic } from '../support/kafka.ts';
import { runProgram } from '../support/program.ts';
import { waitFor } from '../support/wait.ts';
import type { Balancer } from './balancer.ts';
import { startPair, TOKEN } from './pair.ts';

export interface FailoverPlan {
  readonly devices: number;
  readonly rate: number;
  readonly drain: string;
  readonly spread: string;
  /** Waits until HAProxy gives devices to the gateway that was killed, too. */
  readonly untilUp: boolean;
}

export interface FailoverResult {
  readonly load: LoadResult;
  /** Devices on the gateway that was drained, when the drain began, and when HAProxy had taken it out. */
  readonly onDrained: number;
  readonly stillOnDrained: number;
  /** Its exit code. */
  readonly drained: number | NodeJS.Signals;
  /** Devices on the gateway that was killed, at that moment. */
  readonly onKilled: number;
  /** From the kill until all devices were connected again. */
  readonly allBackMs: number;
}

/** The load is ended when everything has happened. This is for a machine that hangs. */
const MAX_LOAD = '4m';

export async function failover(
  t: TestContext,
  bootstrap: string,
  { devices, rate, drain, spread, untilUp }: FailoverPlan,
): Promise<FailoverResult> {
  const topic = uniqueTopic('compose');
  const { port, gateways, balancer } = await startPair(t, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_DEAD_LETTERS: '',
    SHUTDOWN_DRAIN: drain,
    SHUTDOWN_SPREAD: spread,
  });
  const [first, second] = gateways;
  await waitFor('both gateways are ready', () => isUp(balancer, 'sluice-1', 'sluice-2'));
  await waitFor('the topic', () => gateways.every((one) => one.said(/Kafka is reachable/)));
  const args = ['--target', `127.0.0.1:${port}`, '--brokers', bootstrap, '--topic', topic];
  const file = join(temporaryDirectory(t), 'load.json');
  let player: ChildProcess | undefined;
  const options = `-c ${devices} --rate ${rate} --duration ${MAX_LOAD} --settle 10s --json ${file}`;
  const running = runProgram('src/main.js', ['load', ...args, ...options.split(' ')], {
    onOutput: (_, child) => {
      player = child;
    },
  });
  t.after(() => player?.kill('SIGKILL'));
  await waitFor('both gateways have devices', () => connected(first) + connected(second) >= devices);
  const onDrained = connected(first);

  const drainArgs = ['drain', '--yes', '--url', `http://${first.env.HTTP_HOST}:${first.httpPort}`];
  const asked = await runProgram('src/main.js', drainArgs, { env: { HTTP_TOKEN: TOKEN } });
  if (asked.code !== 0) throw new Error(`sluice drain: ${asked.err}`);
  await waitFor('HAProxy takes the drained gateway out', () => isDown(balancer, 'sluice-1'));
  const stillOnDrained = (await balancer.server('devices/sluice-1')).open;
  const drained = await first.exited();
  await first.start();
  await waitFor('HAProxy takes it in again', () => isUp(balancer, 'sluice-1'));
  const all = () => gateways.reduce((sum, one) => sum + connected(one), 0);
  await waitFor('all devices are back', () => all() >= devices, 30_000);

  const onKilled = connected(second);
  const killedMs = performance.now();
  await second.kill();
  let isBack = false;
  const restarted = second.start().then(() => {
    isBack = true;
  });
  const living = () => connected(first) + (isBack ? connected(second) : 0);
  await waitFor('the devices of the killed gateway are back', () => living() >= devices, 60_000);
  const allBackMs = performance.now() - killedMs;
  await restarted;
  if (untilUp) await waitFor('HAProxy has both again', () => isUp(balancer, 'sluice-1', 'sluice-2'));

  await waitFor('the load has said something', () => player !== undefined);
  player?.kill('SIGINT');
  const { code, out, err } = await running;
  if (code !== 0) throw new Error(`the load ended with ${code}\n${out}${err}`);
  const load = JSON.parse(readFileSync(file, 'utf8')) as LoadResult;
  return { load, onDrained, stillOnDrained, drained, onKilled, allBackMs };
}

function connected(gateway: GatewayProcess): number {
  return gateway.stats.connections.identified;
}

async function isUp(balancer: Balancer, ...names: readonly string[]): Promise<boolean> {
  const servers = await balancer.servers();
  return names.every((name) => servers.get(`devices/${name}`)?.status.startsWith('UP'));
}

async function isDown(balancer: Balancer, name: string): Promise<boolean> {
  return (await balancer.server(`devices/${name}`)).status === 'DOWN';
}

export function assertNothingLost(t: TestContext, { devices }: FailoverPlan, result: FailoverResult): void {
  const { load, onDrained, stillOnDrained, onKilled, allBackMs, drained } = result;
  const { counts, readBack, codes } = load;
  t.diagnostic(
    JSON.stringify({
      onDrained,
      stillOnDrained,
      onKilled,
      allBackMs: Math.round(allBackMs),
      counts,
      readBack,
    }),
  );
  // `leastconn` shares them out.
  assert.ok(Math.abs(onDrained - devices / 2) <= devices / 20, `${onDrained} of ${devices}`);
  // The drain cut nobody: the gateway itself told each device to go, after HAProxy had taken it out.
  const { draining = 0, shutdown = 0, ...others } = codes;
  assert.deepEqual(others, {});
  // A device that is slow to leave hears `shutdown` when the time of SHUTDOWN_SPREAD is over.
  assert.equal(draining + shutdown, onDrained);
  assert.equal(drained, 0);
  // The killed gateway had the others. Its devices were cut at once, and no other connection ever was.
  assert.equal(counts.breaks, onDrained + onKilled);
  assert.ok(onKilled >= devices / 2, `${onKilled} of ${devices}`);
  // Every reading that was answered `stored` is in the topic once and in order. Of those without an answer, because their
  // connection had ended, nobody promised anything: a real device sends them again.
  const {
    lost,
    duplicated,
    reordered,
    corrupted,
    invented,
    delivered = 0,
    unansweredMissing = 0,
  } = readBack ?? {};
  const wrong = { lost, duplicated, reordered, corrupted, invented };
  assert.deepEqual(wrong, { lost: 0, duplicated: 0, reordered: 0, corrupted: 0, invented: 0 });
  assert.equal(counts.messages, counts.confirmed + counts.unanswered);
  assert.equal(delivered, counts.messages - unansweredMissing);
  assert.ok(counts.confirmed > 10 * devices, `${counts.confirmed} confirmed`);
}
