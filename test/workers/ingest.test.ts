// A line becomes a record with the worker pool and without it, in the real gateway.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { gatewayFor, startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

it('TCP_USE_WORKER_POOL=true logs how many workers and how large a queue it starts', async (t) => {
  const gateway = await gatewayFor(t, { TCP_WORKER_COUNT: '3', TCP_JOB_QUEUE_SIZE: '7' });
  const said = gateway.log.map(({ msg }) => msg);
  assert.ok(said.includes('Starting TCP server with worker pool (3 workers, queue size 7)'));
  assert.ok(said.includes('Started 3 workers'));
  const { queue } = gateway.snapshot();
  assert.deepEqual([queue.workers, queue.capacity], [3, 7]);
});

it('TCP_USE_WORKER_POOL=false logs that, and takes lines in order, one at a time, with all replies', async (t) => {
  const gateway = await gatewayFor(t, { TCP_USE_WORKER_POOL: 'false' });
  const said = gateway.log.map(({ msg }) => msg);
  assert.ok(
    said.includes('Starting TCP server without worker pool (one message at a time from each connection)'),
  );
  assert.equal(gateway.snapshot().queue.workers, 0);
  const devices = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const device = await Device.connect(gateway.port);
      const lines = Array.from(
        { length: 500 },
        (_, index) => `{"type":"metrics","seq":${index},"data":"a=1"}\n`,
      );
      device.send(`${IDENTIFY}${lines.join('')}nonsense\n{"type":"keepalive"}\n`);
      return device;
    }),
  );
  for (const device of devices) {
    const codes: string[] = [];
    while (codes.at(-1) !== 'alive') {
      const { code, status } = await device.read();
      if (status !== 'stored') codes.push(code ?? status);
    }
    assert.deepEqual(codes, ['identified', 'invalid_json', 'alive']);
  }
  const { records, lines, connections } = gateway.snapshot();
  assert.deepEqual(
    [records.accepted, lines.refusedLines, lines.waiting, connections.paused],
    [5000, 10, 0, 0],
  );
});

for (const pool of ['true', 'false']) {
  it(`TCP_USE_WORKER_POOL=${pool} with KAFKA_ASYNC=false stops in time although no record is ever confirmed`, async (t) => {
    const before = process.getActiveResourcesInfo().length;
    const spool = temporaryDirectory(t);
    const gateway = await startGateway({
      TCP_USE_WORKER_POOL: pool,
      TCP_WORKER_COUNT: '2',
      KAFKA_ASYNC: 'false',
      SPOOL_DIR: spool,
    });
    // A file in the place of the log's directory: the spool cannot take anything.
    writeFileSync(join(spool, 'weather.metrics.raw~unplaced'), '');
    const device = await Device.identified(gateway.port);
    device.send('{"type":"metrics","data":{"a":1}}\n'.repeat(1000));
    await waitFor('a record', () => gateway.snapshot().records.accepted > 0);
    const { complete, unconfirmed } = await gateway.stop();
    assert.equal(complete, false);
    assert.ok(unconfirmed !== 'unknown' && unconfirmed > 0);
    device.destroy();
    await waitFor('no handle', () => process.getActiveResourcesInfo().length <= before + 1);
  });
}

for (const pool of ['true', 'false']) {
  it(`TCP_USE_WORKER_POOL=${pool}: a stop handles the lines that connections hold, before and after identify`, async (t) => {
    const LINES = 200;
    const gateway = await startGateway({
      TCP_USE_WORKER_POOL: pool,
      TCP_JOB_QUEUE_SIZE: '5',
      SPOOL_DIR: temporaryDirectory(t),
      SHUTDOWN_TIMEOUT: '20s',
    });
    const reading = '{"data":{"a":1},"type":"metrics"}\n';
    const devices = await Promise.all(Array.from({ length: 30 }, () => Device.connect(gateway.port)));
    for (const device of devices) {
      device.socket.on('end', () => device.destroy());
      device.send(IDENTIFY + reading.repeat(LINES));
    }
    await waitFor('the first lines', () => gateway.snapshot().lines.received > 0);
    const result = await gateway.stop();
    assert.equal(result.unconfirmed, 0);
    const { lines, records } = gateway.snapshot();
    assert.equal(lines.waiting, 0);
    // Each device's lines came in one read, so all of them were read or none.
    assert.ok(records.accepted > 0 && records.accepted % LINES === 0, `${records.accepted} records`);
  });
}
