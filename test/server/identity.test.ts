// A fleet without zipcodes on a real gateway: the fields that identify needs, and the records in its spool with their keys, tags and
// headers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { headerList, recordParts } from '../../src/kafka/batches/record-body.ts';
import { unpack } from '../../src/kafka/batches/split-batch.ts';
import { listLogs, readUnacknowledged } from '../../src/spool/inspect.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { admitted, listen, sinkOf } from './stage.ts';

interface Stored {
  readonly key: string;
  readonly value: string;
  readonly headers: readonly string[];
}

/** The records, or the dead letters, on the disk of a gateway that has ended. */
async function stored(spool: string, kind: 'readings' | 'dead letters' = 'readings'): Promise<Stored[]> {
  const found: Stored[] = [];
  for (const place of await listLogs(spool)) {
    if (place.kind !== kind) continue;
    for await (const { found: batch } of readUnacknowledged(place)) {
      assert.ok(batch.kind === 'batch');
      for (const { body } of await unpack(batch.bytes)) {
        const { key, value } = recordParts(body);
        const headers = headerList(body).map(([name, bytes]) => `${name}=${Buffer.from(bytes)}`);
        found.push({ key: Buffer.from(key).toString(), value: value.toString(), headers });
      }
    }
  }
  return found;
}

async function fleet(t: TestContext, env: Env) {
  const SPOOL_DIR = temporaryDirectory(t);
  const gateway = await gatewayFor(t, { SPOOL_DIR, ...env });
  const identify = async (fields: object) => {
    const device = await Device.connect(gateway.port);
    device.sendMessages({ type: 'identify', ...fields });
    const reply = await device.read();
    return { device, reply, id: reply.connection_id ?? '' };
  };
  const send = async (device: Device, ...messages: object[]) => {
    device.sendMessages(...messages.map((message, seq) => ({ type: 'metrics', seq, ...message })));
    let last = -1;
    while (last < messages.length - 1) last = (await device.read()).seq ?? last;
  };
  return { ...gateway, spool: SPOOL_DIR, identify, send };
}

/** Without the time of reception. */
const timeless = (value: string) => value.replace(/"received_at":"[^"]{24}",/, '');

describe('a fleet of trackers', () => {
  it('has records without zipcode and city, with the device_id as their key and the tags after it', async (t) => {
    const gateway = await fleet(t, { TCP_IDENTIFY: 'device_id', KAFKA_KEY: 'device_id' });
    const refused = await gateway.identify({ zipcode: '90210', city: 'Beverly Hills' });
    assert.equal(refused.reply.code, 'invalid_message');
    assert.match(refused.reply.message ?? '', /^field 'device_id': /);
    // The connection stays open, and may say it now.
    refused.device.sendMessages({ type: 'identify', device_id: 'truck-8' });
    assert.equal((await refused.device.read()).status, 'identified');

    const { device, id } = await gateway.identify({ device_id: 'truck-7', tags: { model: 'T1', fw: 3 } });
    await gateway.send(device, { data: { lat: 48.1372 } }, { data: [{ a: 1 }, { a: 2 }] });
    const { connections, records } = gateway.snapshot();
    assert.deepEqual([connections.identified, connections.uniqueZipcodes, records.withoutKey], [2, 0, 0]);
    await gateway.stop();
    const head = `{"connection_id":"${id}","device_id":"truck-7","tags":{"model":"T1","fw":3}`;
    assert.deepEqual(
      (await stored(gateway.spool)).map(({ value, ...rest }) => ({ ...rest, value: timeless(value) })),
      [
        { key: 'truck-7', headers: [], value: `${head},"seq":0,"data":{"lat":48.1372}}` },
        { key: 'truck-7', headers: [], value: `${head},"seq":1,"data":{"a":1}}` },
        { key: 'truck-7', headers: [], value: `${head},"seq":1,"data":{"a":2}}` },
      ],
    );
  });

  it('has the id of the connection as the key of records that cannot have the key, counted', async (t) => {
    const gateway = await fleet(t, { TCP_IDENTIFY: '', KAFKA_KEY: 'tags.fleet' });
    const without = await gateway.identify({ tags: { fleet: null } });
    const given = await gateway.identify({ tags: { fleet: 'north' } });
    await gateway.send(without.device, { data: { a: 1 } }, { data: { a: 2 } });
    await gateway.send(given.device, { data: { a: 3 } });
    assert.equal(gateway.snapshot().records.withoutKey, 2);
    await gateway.stop();
    const keys = (await stored(gateway.spool)).map(({ key, value }) => `${key} ${value.slice(-8)}`);
    assert.deepEqual(
      keys.toSorted(),
      [`${without.id} {"a":1}}`, `${without.id} {"a":2}}`, 'north {"a":3}}'].toSorted(),
    );
  });

  it('has headers in the spool, each record with its own', async (t) => {
    const KAFKA_HEADERS = 'site=berlin,remote_address,device_id,cloudevents,traceparent';
    const gateway = await fleet(t, { TCP_IDENTIFY: 'device_id', KAFKA_KEY: 'device_id', KAFKA_HEADERS });
    const { device, id } = await gateway.identify({ device_id: 'truck-7' });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await gateway.send(device, { data: { a: 1 } }, { traceparent, data: [{ a: 2 }, { a: 3 }] });
    device.sendMessages({ type: 'metrics', seq: 9, traceparent: 'x', data: { a: 4 } });
    const refused = await device.read();
    assert.deepEqual([refused.code, refused.seq], ['invalid_message', 9]);
    await gateway.stop();
    const records = await stored(gateway.spool);
    const at = records.map(({ value }) => (JSON.parse(value) as { received_at: string }).received_at);
    const common = (index: number) => [
      'site=berlin',
      'remote_address=127.0.0.1',
      'device_id=truck-7',
      'ce_source=/sluice',
      'ce_type=sluice.reading',
      'content-type=application/json',
      'ce_specversion=1.0',
      `ce_id=${id}-${String(index + 1).padStart(16, '0')}`,
      `ce_time=${at[index]}`,
    ];
    assert.deepEqual(
      records.map(({ headers }) => headers),
      [common(0), [...common(1), `traceparent=${traceparent}`], [...common(2), `traceparent=${traceparent}`]],
    );
  });

  it('has dead letters that say the key and the tags of the device', async (t) => {
    const gateway = await fleet(t, { TCP_IDENTIFY: 'device_id', KAFKA_KEY: 'device_id' });
    const { device, id } = await gateway.identify({ device_id: 'truck-7', tags: { fw: 1.0 } });
    device.sendMessages({ type: 'metrics', data: 7 });
    assert.equal((await device.read()).code, 'invalid_message');
    await gateway.stop();
    const [letter, ...more] = await stored(gateway.spool, 'dead letters');
    assert.deepEqual(more, []);
    const wanted = ['zipcode=', `connection_id=${id}`, 'device_id=truck-7', 'tags={"fw":1}', 'key=truck-7'];
    for (const header of wanted)
      assert.ok(letter?.headers.includes(header), `${header} in ${letter?.headers}`);
  });
});

describe('the limits of a device with large tags', () => {
  const tags = Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`t${index}`, 'x'.repeat(256)]));

  it('are fewer readings in a batch, and the refusal says how many', async (t) => {
    const gateway = await fleet(t, { TCP_IDENTIFY: '', TCP_MAX_LINE_BYTES: '64KiB' });
    const { device } = await gateway.identify({ zipcode: '1', tags });
    const batch = (count: number) => ({
      type: 'metrics',
      data: Array.from({ length: count }, () => ({ a: 1 })),
    });
    device.sendMessages(batch(1000));
    const { code, message = '' } = await device.read();
    assert.equal(code, 'invalid_message');
    const most = Number(/holds at most (\d+) readings/.exec(message)?.[1]);
    assert.ok(most > 400 && most < 600, message);
    device.sendMessages(batch(most + 1), batch(most), { type: 'keepalive' });
    assert.equal((await device.read()).code, 'invalid_message');
    assert.equal((await device.read()).status, 'alive');
    assert.equal(gateway.snapshot().records.accepted, most);
    const station = await Device.identified(gateway.port);
    station.sendMessages(batch(1000), { type: 'keepalive' });
    assert.equal((await station.read()).status, 'alive', 'a station has 1000 as ever');
  });
});

describe('a device_id that the certificate fixes', () => {
  it('counts as given', async (t) => {
    const sink = sinkOf(() => true);
    const { server } = await listen(t, sink, { options: { requiresDeviceId: true } });
    const front = createServer((socket) => server.adopt({ ...admitted(socket), certifiedId: 'gate-1' }));
    t.after(() => front.close());
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    const address = front.address();
    assert.ok(address !== null && typeof address === 'object');
    const device = await Device.connect(address.port, { tls: undefined });
    device.send(IDENTIFY);
    assert.equal((await device.read()).status, 'identified');
    device.destroy();
    await waitFor('its end', () => server.activeConnections === 0);
  });
});
