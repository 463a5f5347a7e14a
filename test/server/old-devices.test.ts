// Devices of other worlds on real sockets: zipcodes that need care behind the decoder, the lines that TCP_COMPATIBILITY=go
// takes, and the readings that TCP_REQUIRE refuses.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createLogger } from '../../src/log/logger.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { gatewayFor } from '../support/gateway.ts';
import { textStream } from '../support/log.ts';
import { spoolRecords } from '../support/spool-records.ts';
import { waitFor } from '../support/wait.ts';

const READING = '{"type":"metrics","data":{"a":1}}\n';
const KEEPALIVE = '{"type":"keepalive"}\n';
const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** A line of so many bytes. */
function padded(line: string, bytes: number): string {
  const [start, end] = [line.slice(0, -1), '}'];
  return `${start},"pad":"${'x'.repeat(bytes - start.length - end.length - ',"pad":""'.length)}"${end}`;
}

describe('a zipcode of any characters', () => {
  const HOSTILE = [
    '"},"x":{"a":"',
    'back\\slash\\u0022',
    '東京 🌧 é',
    '\u202e<img src=x onerror=alert(1)>',
    "$& $' {zipcode} {remoteAddress} %s",
    '\u2028\ufeff\u200b',
    '🌧'.repeat(64),
    '\ufffd',
    ' ',
    '__proto__',
  ];

  it('is the key and a field of its records, and tells connections apart', async (t) => {
    const spool = temporaryDirectory(t);
    const gateway = await gatewayFor(t, { SPOOL_DIR: spool, HTTP_PORT: '0' });
    const ids = new Map<string, string>();
    for (const zipcode of HOSTILE) {
      const device = await Device.connect(gateway.port);
      t.after(() => device.destroy());
      const city = `City of ${zipcode}`;
      device.sendMessages({ type: 'identify', zipcode, city: `${city}\t\u0085`, device_id: `d${ids.size}` });
      device.send(`${READING}{"data":[{"\\u0061":1},"a=1"],"type":"metrics"}\n${KEEPALIVE}`);
      ids.set((await device.read()).connection_id ?? '', zipcode);
      assert.equal((await device.read()).status, 'alive');
    }
    const { http } = gateway.addresses;
    for (const [id, zipcode] of ids) {
      const query = new URLSearchParams({ zipcode });
      const response = await fetch(`http://127.0.0.1:${http?.port}/connections?${query}`);
      const { connections } = (await response.json()) as { connections: Record<string, unknown>[] };
      assert.deepEqual(
        connections.map((one) => [one.connection_id, one.zipcode, one.city]),
        [[id, zipcode, `City of ${zipcode}  `]],
      );
    }
    await gateway.stop();
    const records = await spoolRecords(spool);
    assert.equal(records.length, 3 * HOSTILE.length);
    for (const { key, value } of records) {
      const record = JSON.parse(value?.toString() ?? '') as Record<string, unknown>;
      const zipcode = ids.get(String(record.connection_id));
      assert.ok(zipcode !== undefined);
      assert.equal(key?.toString(), zipcode);
      assert.deepEqual(Object.keys(record).slice(0, 3), ['connection_id', 'zipcode', 'city']);
      assert.deepEqual(
        [record.zipcode, record.city, record.data],
        [zipcode, `City of ${zipcode}  `, { a: 1 }],
      );
    }
  });

  it('can forge neither a line nor a colour of the log', () => {
    for (const format of ['json', 'pretty'] as const) {
      const { stream, text } = textStream();
      const log = createLogger({ LOG_LEVEL: 'debug', LOG_FORMAT: format }, stream);
      for (const zipcode of HOSTILE)
        log.write('connection_identified', { connectionId: 'c', remoteAddress: '192.0.2.7', zipcode });
      assert.doesNotMatch(text().replaceAll('\n', ''), /[\p{Cc}\u2028\u202e\u200b\ufeff]/u);
      assert.equal(text().trimEnd().split('\n').length, HOSTILE.length);
      assert.ok(text().includes(' {zipcode} {remoteAddress} %s'), 'a text is not filled in twice');
    }
  });
});

describe('with TCP_COMPATIBILITY=go', () => {
  it('lines of up to 1 MiB are taken, also before identify, and not one byte more', async (t) => {
    const gateway = await gatewayFor(t, { TCP_COMPATIBILITY: 'go' });
    const identify = '{"Type":"identify","ZipCode":"1","City":"x"}';
    const device = await Device.connect(gateway.port);
    device.send(`${padded(identify, MIB)}\r\n`);
    assert.equal((await device.read()).status, 'identified');
    device.send(`${padded('{"type":"keepalive"}', MIB)}\n`);
    assert.equal((await device.read()).status, 'alive');
    device.send(`${padded('{"type":"keepalive"}', MIB + 1)}\n`);
    assert.deepEqual(await device.restCodes(), ['line_too_long']);
    const other = await Device.connect(gateway.port);
    other.send(`${padded(identify, MIB + 1)}\n`);
    assert.deepEqual(await other.restCodes(), ['line_too_long']);
    for (const one of [device, other]) one.destroy();
  });

  it('TCP_MAX_LINE_BYTES counts if it is set, for both', async (t) => {
    const gateway = await gatewayFor(t, { TCP_COMPATIBILITY: 'go', TCP_MAX_LINE_BYTES: '16KiB' });
    const identify = '{"type":"identify","zipcode":"1","city":"x"}';
    const device = await Device.connect(gateway.port);
    device.send(`${padded(identify, 16 * KIB)}\n`);
    assert.equal((await device.read()).status, 'identified');
    device.send(`${padded('{"type":"keepalive"}', 16 * KIB + 1)}\n`);
    assert.deepEqual(await device.restCodes(), ['line_too_long']);
    device.destroy();
  });

  it('the reading of a line in another case is written in lower case by the short cut too', async (t) => {
    const spool = temporaryDirectory(t);
    const gateway = await gatewayFor(t, { TCP_COMPATIBILITY: 'go', SPOOL_DIR: spool });
    const device = await Device.identified(gateway.port);
    device.send('{"type":"metrics","data":{"Temperature":1,"B":2}}\n');
    device.send('{"type":"metrics","data":{"temperature":3,"B":4}}\n');
    device.send(`{"TYPE":"metrics","data":{"Temperature":5,"B":6}}\n${KEEPALIVE}`);
    assert.equal((await device.read()).status, 'alive');
    device.destroy();
    await gateway.stop();
    const values = (await spoolRecords(spool)).map(
      ({ value }) => JSON.parse(value?.toString() ?? '') as object,
    );
    assert.deepEqual(
      values.map((value) => (value as { data: object }).data),
      [
        { temperature: 1, B: 2 },
        { temperature: 3, B: 4 },
        { temperature: 5, B: 6 },
      ],
    );
  });
});

it('TCP_REQUIRE refuses a reading with the name of its field, and it goes to the dead letters', async (t) => {
  const spool = temporaryDirectory(t);
  const gateway = await gatewayFor(t, {
    TCP_REQUIRE: 'timestamp:time,temperature:number',
    KAFKA_COMPRESSION: 'none',
    SPOOL_DIR: spool,
  });
  const device = await Device.identified(gateway.port);
  const good = '{"timestamp":"2026-11-21T08:00:00Z","temperature":21.5}';
  const send = (data: string, seq: number) => device.send(`{"type":"metrics","seq":${seq},"data":${data}}\n`);
  const errorFor = async (data: string, seq: number) => {
    send(data, seq);
    const { code, message, seq: about } = await device.read();
    assert.deepEqual([code, about], ['invalid_message', seq]);
    return message ?? '';
  };
  send(good, 1);
  send(`[${good},${good}]`, 2);
  await waitFor('all are stored', async () => (await device.read()).seq === 2);
  assert.match(await errorFor('{"temperature":1}', 3), /^field 'timestamp' of 'data': /);
  assert.match(await errorFor(good.replace('11-21', '02-30'), 4), /^field 'timestamp' of 'data': /);
  assert.match(await errorFor(good.replace('21.5', '"21.5"'), 5), /^field 'temperature' of 'data': /);
  assert.match(await errorFor(`[${good},{"a":1}]`, 6), /^reading 2: field 'timestamp' of 'data': /);
  device.destroy();
  await gateway.stop();
  const { deadLetters, records } = gateway.snapshot();
  assert.deepEqual([records.accepted, deadLetters.waiting, deadLetters.dropped], [3, 4, 0]);
  const letters = readdirSync(spool, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes('dead-letters') && path.endsWith('.log'))
    .map((path) => readFileSync(join(spool, path), 'latin1'));
  assert.ok(letters.join().includes('"temperature":"21.5"'));
});
