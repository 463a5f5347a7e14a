// Devices that resume on several real server processes: wherever the former connection was, and after the crash of one.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

const DEVICES = 16;

async function resume(port: number, id: string): Promise<{ device: Device; storedSeq: unknown }> {
  const device = await Device.connect(port);
  device.sendMessages({ type: 'identify', zipcode: '90210', city: 'x', device_id: id, resume: true });
  const reply: { stored_seq?: unknown } = JSON.parse(await device.readLine()) as object;
  return { device, storedSeq: reply.stored_seq };
}

async function store(device: Device, seq: number): Promise<void> {
  device.sendMessages({ type: 'metrics', seq, data: { t: seq } });
  assert.equal((await device.read()).seq, seq);
}

test('a device is known in every process, and after the crash of one if its connection had settled', async (t) => {
  const directory = temporaryDirectory(t);
  // Without Kafka the records are on the disk.
  const gateway = await runGateway(t, directory, {
    TCP_PROCESSES: '2',
    KAFKA_BROKERS: '',
    SPOOL_DIR: join(directory, 'spool'),
  });
  const { port } = gateway;
  const ids = (kind: string) => Array.from({ length: DEVICES }, (_, n) => `${kind}-${n}`);
  for (const id of ids('gone')) {
    const { device, storedSeq } = await resume(port, id);
    assert.equal(storedSeq, null);
    await store(device, 5);
    device.destroy();
  }
  // The kernel gives connections to both processes, so some come to another one than before.
  for (const id of ids('gone')) {
    const { device, storedSeq } = await resume(port, id);
    assert.equal(storedSeq, 5, id);
    await store(device, 6);
    device.reset();
  }
  const open: { id: string; device: Device }[] = [];
  const openOne = async (id: string) => {
    const { device } = await resume(port, id);
    t.after(() => device.destroy());
    open.push({ id, device });
    await store(device, 7);
  };
  // The kernel may give a whole burst to one process.
  const bothHaveSome = async () => {
    const { connections } = JSON.parse(await gateway.ask('/connections')) as {
      connections: { process: number }[];
    };
    return new Set(connections.map((one) => one.process)).size === 2;
  };
  for (let burst = 0; burst < 10 && !(await bothHaveSome()); burst++)
    await Promise.all(ids(`open-${burst}`).map(openOne));
  await waitFor('the ends', () => gateway.stats.connections.active === open.length);

  const [victim = 0] = gateway.children;
  process.kill(victim, 'SIGKILL');
  await waitFor(
    'a new process',
    () => gateway.stats.processes.restarts === 1 && gateway.stats.processes.running === 2,
  );
  for (const id of ids('gone')) {
    const { device, storedSeq } = await resume(port, id);
    assert.equal(storedSeq, 6, id);
    device.destroy();
  }
  const crashed = open.filter(({ device }) => device.ended);
  assert.ok(crashed.length > 0 && crashed.length < open.length, `${crashed.length} were in the process`);
  for (const { id, device } of open) {
    const isCrashed = device.ended;
    const { device: again, storedSeq } = await resume(port, id);
    t.after(() => again.destroy());
    assert.equal(storedSeq, isCrashed ? null : 7, id);
    // The one that was alive is told that it is replaced.
    if (!isCrashed) assert.deepEqual(await device.restCodes(), ['replaced']);
  }
  const answers = await waitFor('the figures', () => {
    const { answers } = gateway.stats.resume;
    return answers.known === 2 * DEVICES + open.length - crashed.length && answers;
  });
  assert.equal(answers.unsettled, 0);
});
