// The drain of the built program: SIGTERM or POST /drain, not ready while it serves, paced goodbyes, and then the stop.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Device, type Reply } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

const TOKEN = 'correct-horse-battery';

const start = (t: TestContext, env: Env) =>
  runGateway(t, temporaryDirectory(t), { KAFKA_BROKERS: '', HTTP_TOKEN: TOKEN, ...env });

async function ask(gateway: GatewayProcess, path: string, method = 'GET') {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const response = await fetch(`http://127.0.0.1:${gateway.httpPort}${path}`, { method, headers });
  return { status: response.status, text: await response.text() };
}

/** Devices that send a reading with seq every 50 ms until their goodbye. */
async function fleetOf(gateway: GatewayProcess, count: number) {
  const startMs = performance.now();
  return Promise.all(
    Array.from({ length: count }, async () => {
      const device = await Device.identified(gateway.port);
      const member = { device, closing: undefined as Reply | undefined, goneMs: 0, sent: 0, stored: 0 };
      const timer = setInterval(() => {
        member.sent++;
        if (!device.ended) device.send(`{"type":"metrics","seq":${member.sent},"data":{"a":1}}\n`);
      }, 50);
      const listen = async () => {
        while (member.closing === undefined) {
          const reply = await device.read();
          if (reply.status === 'stored') member.stored = reply.seq ?? 0;
          if (reply.status === 'closing') member.closing = reply;
        }
        member.goneMs = performance.now() - startMs;
        clearInterval(timer);
        device.destroy();
      };
      void listen().catch(() => clearInterval(timer));
      return member;
    }),
  );
}

for (const [processes, by] of [
  ['1', 'SIGTERM'],
  ['2', 'POST /drain'],
] as const) {
  test(`${by}: not ready at once, serves for SHUTDOWN_DRAIN, tells devices to go over SHUTDOWN_SPREAD, then exits 0 (TCP_PROCESSES=${processes})`, async (t) => {
    const gateway = await start(t, {
      TCP_PROCESSES: processes,
      // Long enough for all that a busy machine has to do in it.
      SHUTDOWN_DRAIN: '3s',
      SHUTDOWN_SPREAD: '1500ms',
    });
    const fleet = await fleetOf(gateway, 60);
    assert.equal((await ask(gateway, '/readyz')).status, 200);
    assert.deepEqual(JSON.parse((await ask(gateway, '/drain')).text), { draining: false });
    const askedMs = performance.now();
    if (by === 'SIGTERM') gateway.signal('SIGTERM');
    else assert.equal((await ask(gateway, '/drain', 'POST')).status, 202);

    await waitFor('it is not ready', async () => (await ask(gateway, '/readyz')).status === 503);
    assert.ok(performance.now() - askedMs < 3000, 'before the end of the drain');
    assert.match((await ask(gateway, '/readyz')).text, /drain/);
    assert.deepEqual(JSON.parse((await ask(gateway, '/drain')).text), { draining: true });
    assert.equal((await ask(gateway, '/healthz')).status, 200);
    // An orchestrator sends SIGTERM after its POST: that is no second signal.
    if (by === 'POST /drain') gateway.signal('SIGTERM');
    const late = await Device.identified(gateway.port);
    late.send('{"type":"keepalive"}\n');
    assert.equal((await late.read()).status, 'alive', 'a new device is served');
    assert.ok(fleet.every(({ closing }) => closing === undefined));
    const before = fleet.map(({ stored }) => stored);
    await waitFor('readings are stored', () => fleet.every(({ stored }, i) => stored > (before[i] ?? 0)));

    assert.equal(await gateway.exited(), 0, gateway.logTail());
    const tookMs = performance.now() - askedMs;
    assert.ok(tookMs > 4400 && tookMs < 12_000, `${tookMs} ms`);
    assert.equal((await late.restCodes()).at(-1), 'draining');
    const codes = fleet.map(({ closing }) => closing?.code);
    assert.ok(codes.filter((code) => code === 'draining').length >= 55, `${codes}`);
    const gone = fleet.map(({ goneMs }) => goneMs).toSorted((a, b) => a - b);
    const [first = 0, middle = 0, last = 0] = [gone[0], gone[30], gone[59]];
    assert.ok(last - first > 1000 && middle - first > 300 && last - middle > 300, `${[first, middle, last]}`);
    const delays = fleet.map(({ closing }) => closing?.reconnect_after_ms ?? 0);
    assert.ok(
      new Set(delays).size > 40 && Math.min(...delays) >= 500 && Math.max(...delays) <= 5000,
      `${delays}`,
    );
    assert.ok(
      gateway.said(/^draining for 3/) && gateway.said(/^stopping: no new connections/),
      gateway.logTail(),
    );
  });
}

test('a second SIGTERM in the drain ends the gateway at once, and all its processes', async (t) => {
  const gateway = await start(t, { TCP_PROCESSES: '2', SHUTDOWN_DRAIN: '1m' });
  const { children } = gateway;
  gateway.signal('SIGTERM');
  await waitFor('it drains', () => gateway.said(/^draining for/));
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited(), 1);
  await waitFor('no process is left', () => children.every((pid) => !isAlive(pid)));
});

test('SIGINT stops without a drain, and cuts one short that POST /drain began', async (t) => {
  const gateway = await start(t, { SHUTDOWN_DRAIN: '1m', SHUTDOWN_SPREAD: '1m' });
  const device = await Device.identified(gateway.port);
  assert.equal((await ask(gateway, '/drain', 'POST')).status, 202);
  await waitFor('it drains', () => gateway.said(/^draining for/));
  const signalledMs = performance.now();
  gateway.signal('SIGINT');
  assert.equal(await gateway.exited(), 0, gateway.logTail());
  assert.ok(performance.now() - signalledMs < 5000);
  assert.deepEqual(await device.restCodes(), ['shutdown']);
  await gateway.start();
  gateway.signal('SIGINT');
  assert.equal(await gateway.exited(), 0, gateway.logTail());
});

test('POST /log-level reaches all processes, and a process that is started later', async (t) => {
  const gateway = await start(t, { TCP_PROCESSES: '2' });
  const debugOf = (pid: number, from: number) =>
    gateway.log.slice(from).some((line) => line.pid === pid && String(line.level) === 'debug');
  const level = async (wished: string) => {
    assert.equal((await ask(gateway, `/log-level?level=${wished}`, 'POST')).status, 200);
    return gateway.log.length;
  };
  const from = await level('debug');
  const devices: Device[] = [];
  const connectUntilAllSpeak = async (pids: readonly number[], logged: number) => {
    await waitFor('each process writes lines of level debug', async () => {
      devices.push(await Device.identified(gateway.port));
      return pids.every((pid) => debugOf(pid, logged));
    });
  };
  t.after(() => {
    for (const device of devices) device.destroy();
  });
  await connectUntilAllSpeak(gateway.children, from);
  const [victim = 0] = gateway.children;
  process.kill(victim, 'SIGKILL');
  await waitFor('it is back', () => gateway.said(/^The server process is back/, from));
  await connectUntilAllSpeak(gateway.children, gateway.log.length);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
