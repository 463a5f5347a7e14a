// What helps the maker of a device: the time on request, a warning of a field that is ignored, and the column of an error.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Device, IDENTIFY } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { assertAlive, assertBalance, readAnswer } from './stage.ts';

const MISSPELT = '{"type":"identify","zipcod":"90210","city":"Beverly Hills"}\n';
const warningOf = (field: string, seq?: number) => ({
  type: 'ack',
  status: 'warning',
  code: 'unknown_field',
  message: `field '${field}' is not known and is ignored`,
  ...(seq === undefined ? {} : { seq }),
});

describe('with TCP_STRICT=warn', () => {
  it('a connection is told once of a field that is ignored, before the answer to its line', async (t) => {
    const gateway = await gatewayFor(t, { TCP_STRICT: 'warn' });
    const device = await Device.connect(gateway.port);
    device.send(MISSPELT);
    assert.deepEqual(await device.read(), warningOf('zipcod'));
    const error = await device.read();
    assert.deepEqual([error.code, /'zipcode'/.test(error.message ?? '')], ['invalid_message', true]);
    device.send(`${IDENTIFY.trim().slice(0, -1)},"y":1}\n{"type":"keepalive","z":1}\n`);
    assert.deepEqual([(await device.read()).status, (await device.read()).status], ['identified', 'alive']);

    const other = await Device.identified(gateway.port);
    other.send('{"type":"metrics","seq":7,"ts":{"a":[]},"data":{"a":1},"more":1}\n');
    assert.deepEqual(await other.read(), warningOf('ts', 7));
    await assertAlive(other);
    const { lines, records } = gateway.snapshot();
    assert.deepEqual([lines.warnings, lines.refusedLines, records.accepted], [2, 1, 1]);
    assertBalance(gateway.snapshot());
  });

  it('a long name is cut, and no line without such a field is warned of', async (t) => {
    const gateway = await gatewayFor(t, { TCP_STRICT: 'warn' });
    const device = await Device.identified(gateway.port);
    device.send('{"type":"metrics","data":{"unknown":{"zipcod":1}}}\n{"type":"time"}\nnonsense\n');
    assert.deepEqual(
      [(await readAnswer(device)).status, (await readAnswer(device)).code],
      ['time', 'invalid_json'],
    );
    device.send(`{"type":"keepalive","${'x'.repeat(2000)}":1}\n`);
    assert.deepEqual(await readAnswer(device), warningOf(`${'x'.repeat(61)}...`));
    assert.equal((await readAnswer(device)).status, 'alive');
  });
});

it('without it nobody is warned', async (t) => {
  const gateway = await gatewayFor(t);
  const device = await Device.connect(gateway.port);
  device.send(`${MISSPELT}${IDENTIFY.trim().slice(0, -1)},"y":1}\n{"type":"keepalive","z":1}\n`);
  const statuses = [await device.read(), await device.read(), await device.read()].map(
    ({ status }) => status,
  );
  assert.deepEqual(statuses, ['error', 'identified', 'alive']);
  assert.equal(gateway.snapshot().lines.warnings, 0);
});

it('a device that has identified is told the time, in the order of its lines', async (t) => {
  const gateway = await gatewayFor(t);
  const device = await Device.identified(gateway.port);
  const before = Date.now();
  device.send('{"type":"keepalive"}\n{"type":"time"}\n{"type":"keepalive"}\n');
  assert.equal((await device.read()).status, 'alive');
  const line = await device.readLine();
  const [, now = ''] =
    /^\{"type":"ack","status":"time","now":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"\}$/.exec(line) ?? [];
  assert.ok(Date.parse(now) >= before && Date.parse(now) <= Date.now(), line);
  assert.equal((await device.read()).status, 'alive');
  const { lines } = gateway.snapshot();
  assert.deepEqual([lines.received, lines.accepted, lines.refusedLines], [4, 4, 0]);
});

it('a device that has not identified is not told the time', async (t) => {
  const gateway = await gatewayFor(t);
  const device = await Device.connect(gateway.port);
  device.send('{"type":"time"}\n');
  const reply = await device.read();
  assert.deepEqual([reply.status, reply.code], ['error', 'not_identified']);
});

it('an error tells the column of what is wrong', async (t) => {
  const gateway = await gatewayFor(t);
  const device = await Device.identified(gateway.port);
  device.send('{"type":"metrics","seq":1,"data":{"größe":{"b":[1,{"c":1,"c":2}]}}}\n');
  const reply = await device.read();
  assert.equal(reply.message, "field 'größe.b[1].c' of 'data' appears twice: column 58");
});
