// GET /connections and POST /kick of one real process: real devices on one side, requests over HTTP on the other.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { ConnectionRow } from '../../src/inspect/connections/page.ts';
import { Authority } from '../support/authority.ts';
import { Device, IDENTIFY, readings } from '../support/device.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

const TOKEN = 'correct-horse-battery-staple';
const PROXY = '127.0.0.77';

let directory: string;
let gateway: Gateway;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-connections-'));
  const { cert, key } = new Authority(directory, 'authority').sign('gateway');
  gateway = await startGateway({
    HTTP_PORT: '0',
    HTTP_TOKEN: TOKEN,
    TCP_TLS_PORT: '0',
    TCP_TLS_CERT: cert,
    TCP_TLS_KEY: key,
    TCP_PROXY_PROTOCOL: 'true',
    TCP_PROXY_TRUSTED: PROXY,
  });
});
after(async () => {
  await gateway.stop();
  rmSync(directory, { recursive: true });
});

interface Page {
  readonly connections: readonly (ConnectionRow & { readonly process: number })[];
  readonly matching: number;
  readonly total: number;
  readonly next: string | null;
  readonly missing: readonly number[];
}

const url = (path: string) => `http://127.0.0.1:${gateway.addresses.http?.port}${path}`;

async function page(query: Record<string, string | number> = {}): Promise<Page> {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) parameters.set(name, `${value}`);
  const response = await fetch(url(`/connections?${parameters}`));
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Page;
}

/** The rows that a query finds, all pages of them. */
async function all(query: Record<string, string | number>): Promise<Page['connections'][number][]> {
  const rows: Page['connections'][number][] = [];
  let after: string | null = null;
  do {
    const one: Page = await page({ ...query, ...(after !== null && { after }) });
    rows.push(...one.connections);
    after = one.next;
  } while (after !== null);
  return rows;
}

async function post(fields: object | string, headers: Record<string, string> = {}) {
  const body = typeof fields === 'string' ? fields : JSON.stringify(fields);
  const authorization = `Bearer ${TOKEN}`;
  const response = await fetch(url('/kick'), {
    method: 'POST',
    body,
    headers: { authorization, ...headers },
  });
  return { status: response.status, text: await response.text() };
}

const kick = async (fields: object) => {
  const { status, text } = await post(fields);
  assert.equal(status, 200, text);
  return JSON.parse(text) as { kicked: number; missing: number[] };
};

interface Identity {
  readonly deviceId?: string;
  readonly zipcode?: string;
  readonly city?: string;
  readonly from?: string;
}

/** With its connection id. */
async function device(t: TestContext, { deviceId, zipcode = '90210', city = 'Bern', from }: Identity = {}) {
  const one = await Device.connect(gateway.port, { ...(from !== undefined && { localAddress: from }) });
  t.after(() => one.destroy());
  one.sendMessages({
    type: 'identify',
    zipcode,
    city,
    ...(deviceId !== undefined && { device_id: deviceId }),
  });
  const { connection_id: id = '' } = await one.read();
  return { one, id };
}

describe('GET /connections', () => {
  it('has a row for an identified device, with what it sent', async (t) => {
    const { one, id } = await device(t, {
      deviceId: 'roof-7',
      zipcode: 'CH-3000',
      city: 'Bern <b>',
      from: '127.0.0.5',
    });
    one.send('nonsense\n{"type":"keepalive"}\n');
    assert.equal((await one.read()).code, 'invalid_json');
    await one.read();
    const { connections, matching, missing, next } = await page({ device_id: 'roof-7' });
    assert.deepEqual([matching, missing, next], [1, [], null]);
    const [row] = connections;
    assert.ok(row !== undefined);
    const {
      since,
      age_ms: age,
      bytes_per_second: bytesRate,
      lines_per_second: linesRate,
      bytes,
      ...rest
    } = row;
    assert.deepEqual(rest, {
      connection_id: id,
      device_id: 'roof-7',
      address: '127.0.0.5',
      zipcode: 'CH-3000',
      city: 'Bern <b>',
      process: 0,
      stage: 'identified',
      tls: false,
      lines: 3,
      refused: 1,
      paused: [],
      last_code: 'invalid_json',
    });
    assert.ok(bytes > 60 && bytes < 200, `${bytes}`);
    assert.ok(age >= 0 && age < 20_000, `${age}`);
    assert.ok(Math.abs(Date.parse(since) + age - Date.now()) < 5000, since);
    assert.ok(bytesRate >= 0 && linesRate >= 0);
  });

  it('has connections that have not identified, are in a TLS handshake, or wait for a PROXY header', async (t) => {
    const silent = connect({ port: gateway.port, host: '127.0.0.1', localAddress: '127.0.0.21' });
    const inHandshake = connect({ port: gateway.tlsPort, host: '127.0.0.1', localAddress: '127.0.0.21' });
    const proxied = connect({ port: gateway.port, host: '127.0.0.1', localAddress: PROXY });
    t.after(() => {
      for (const socket of [silent, inHandshake, proxied]) socket.destroy();
    });
    await waitFor('all are accepted', async () => (await page({ search: '127.0.0.' })).matching >= 3);
    const facts = (rows: Page['connections']) =>
      rows.map(({ stage, tls, device_id: id, city }) => [stage, tls, id, city]).sort();
    assert.deepEqual(facts((await page({ address: '127.0.0.21' })).connections), [
      ['identify', false, null, null],
      ['tls', true, null, null],
    ]);
    assert.deepEqual(facts((await page({ address: PROXY })).connections), [['proxy', false, null, null]]);
  });

  it('keeps the id of a connection from its TLS handshake on', async (t) => {
    const one = await Device.connect(gateway.tlsPort, { tls: {}, localAddress: '127.0.0.22' });
    t.after(() => one.destroy());
    one.send(IDENTIFY);
    const { connection_id: id } = await one.read();
    const { connections } = await page({ address: '127.0.0.22' });
    assert.deepEqual(
      connections.map((row) => [row.connection_id, row.tls, row.stage]),
      [[id, true, 'identified']],
    );
  });

  it('finds by any part of an id, a zipcode, a city or an address, in any case, and exactly by a field', async (t) => {
    const { id } = await device(t, {
      deviceId: 'Vane-A:1',
      zipcode: 'ZQ-11',
      city: 'Zürich "Ost" \\ 東京',
      from: '127.0.0.31',
    });
    await device(t, { deviceId: 'vane-b', zipcode: 'ZQ-12', city: 'Genf', from: '127.0.0.31' });
    const found = async (query: Record<string, string>) =>
      (await page(query)).connections.map(({ connection_id: one }) => one === id);
    for (const search of [
      'vane-a',
      'VANE-A:1',
      'zq-11',
      'ZÜRICH "ost',
      '\\ 東',
      id.slice(9, 30).toUpperCase(),
    ])
      assert.deepEqual(await found({ search }), [true], search);
    assert.equal((await page({ search: 'ost' })).connections[0]?.city, 'Zürich "Ost" \\ 東京');
    assert.equal((await found({ search: '127.0.0.31' })).length, 2);
    assert.equal((await found({ search: 'vane', zipcode: 'ZQ-12' })).length, 1);
    assert.deepEqual(await found({ zipcode: 'ZQ-11' }), [true]);
    assert.deepEqual(await found({ address: '::ffff:127.0.0.31', device_id: 'Vane-A:1' }), [true]);
    for (const query of [{ zipcode: 'ZQ' }, { device_id: 'vane-a:1' }, { search: 'no such text' }])
      assert.deepEqual(await found(query as Record<string, string>), [], JSON.stringify(query));
  });

  it('sorts, and goes through all pages with each row once', async (t) => {
    const zipcode = 'SORT-1';
    for (let n = 0; n < 7; n++) {
      const { one } = await device(t, {
        zipcode,
        deviceId: `sort-${n}`,
        city: 'x'.repeat(1 + ((n * 3) % 7)),
      });
      one.send('bad\n'.repeat((n * 5) % 7));
      for (let reply = 0; reply < (n * 5) % 7; reply++) await one.read();
    }
    const values = {
      bytes: (row: ConnectionRow) => row.bytes,
      lines: (row: ConnectionRow) => row.lines,
      errors: (row: ConnectionRow) => row.refused,
      age: (row: ConnectionRow) => -Date.parse(row.since),
    };
    for (const [sort, of] of Object.entries(values)) {
      for (const order of ['asc', 'desc']) {
        for (const limit of [1, 3, 7, 100]) {
          const rows = await all({ zipcode, sort, order, limit });
          assert.equal(new Set(rows.map(({ device_id: id }) => id)).size, 7, `${sort} ${order} ${limit}`);
          assert.equal(rows.length, 7);
          const sorted = rows.map(of);
          assert.deepEqual(
            sorted,
            [...sorted].sort((a, b) => (order === 'asc' ? a - b : b - a)),
            `${sort} ${order}`,
          );
        }
      }
    }
  });

  it('measures rates over the time before the question, so an idle device has none', async (t) => {
    const { one } = await device(t, { zipcode: 'RATE' });
    await device(t, { zipcode: 'RATE' });
    const timer = setInterval(() => one.send('{"type":"metrics","data":{"a":1}}\n'), 5);
    t.after(() => clearInterval(timer));
    await waitFor('a rate of about 200 lines a second, and none', async () => {
      const [busy, idle] = (await page({ zipcode: 'RATE', sort: 'rate' })).connections;
      const isBusy = (busy?.lines_per_second ?? 0) > 20 && (busy?.bytes_per_second ?? 0) > 20 * 30;
      return isBusy && idle?.lines_per_second === 0 && idle.bytes_per_second === 0;
    });
  });

  it('says why a connection is not read', async (t) => {
    const { one } = await device(t, { deviceId: 'deaf' });
    one.socket.pause();
    const timer = setInterval(() => one.send('bad\n'.repeat(1000)), 5);
    t.after(() => clearInterval(timer));
    await waitFor('it is paused', async () => {
      const [row] = (await page({ device_id: 'deaf' })).connections;
      return row?.paused.includes('replies_unread') || row?.paused.includes('slowed') || false;
    });
  });

  it('has closed connections with their reason, the newest first', async (t) => {
    const { one, id } = await device(t, { deviceId: 'gone', zipcode: 'GONE', city: 'Paris' });
    one.send('{"type":"metrics","data":{"a":1}}\n');
    one.halfClose();
    await one.rest();
    const { one: second } = await device(t, { zipcode: 'GONE' });
    second.reset();
    await waitFor(
      'both are closed',
      async () => (await page({ state: 'closed', zipcode: 'GONE' })).matching === 2,
    );
    const { connections } = await page({ state: 'closed', zipcode: 'GONE' });
    assert.deepEqual(
      connections.map(({ reason, stage }) => [reason, stage]),
      [
        ['reset', 'closing'],
        ['device_end', 'closing'],
      ],
    );
    const [, row] = connections;
    assert.deepEqual([row?.connection_id, row?.device_id, row?.city, row?.lines], [id, 'gone', 'Paris', 2]);
    assert.ok(Math.abs(Date.parse(row?.closed_at ?? '') - Date.now()) < 10_000);
    assert.equal((await page({ zipcode: 'GONE' })).matching, 0);
  });

  for (const [query, says] of [
    ['state=half', /state is open or closed/],
    ['sort=name', /sort is one of age, rate/],
    ['sort=closed', /for state=closed/],
    ['order=up', /asc or desc/],
    ['limit=101', /1 to 100/],
    ['limit=0', /1 to 100/],
    ['limit=1e1', /1 to 100/],
    ['process=1', /process is one of 0/],
    ['process=', /process is one of 0/],
    ['address=roof', /not an IP address/],
    ['address=', /not an IP address/],
    ['serach=x', /no such parameter/],
    ['__proto__=x', /no such parameter/],
    ['limit=1&limit=2', /each parameter may be there once/],
    [`search=${'x'.repeat(257)}`, /more than 256/],
    ['after=', /`next`/],
    ['after=x', /`next`/],
    ['after=%00%ff', /`next`/],
    [`after=${'A'.repeat(5000)}`, /`next`/],
    [`after=${cursor(['open', 'age', 'asc', 1, 'x'])}`, /same state, sort and order/],
    [`after=${cursor(['open', 'age', 'desc', null, 'x'])}`, /`next`/],
    [`after=${cursor(['open', 'age', 'desc', 1, {}])}`, /`next`/],
    [`after=${Buffer.from('["open","age","desc",1e999,"x"]').toString('base64url')}`, /`next`/],
    [`after=${cursor({ length: 5 })}`, /`next`/],
  ] as const) {
    it(`refuses ${query.slice(0, 60)}`, async () => {
      const response = await fetch(url(`/connections?${query}`));
      assert.equal(response.status, 400);
      assert.match(await response.text(), says);
    });
  }

  it('answers some of those who ask at once, and tells the others to come again', async () => {
    await page();
    const replies = await Promise.all(Array.from({ length: 30 }, () => fetch(url('/connections?limit=1'))));
    const statuses = replies.map(({ status }) => status);
    assert.ok(statuses.includes(200), `${statuses}`);
    for (const reply of replies) {
      if (reply.status === 200) await reply.text();
      else assert.match(await reply.text(), /ask again in a second/);
    }
  });
});

function cursor(parts: unknown): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

describe('POST /kick', () => {
  it('by connection_id: the lines before are answered, then `kicked` with the wished time; counted and logged', async (t) => {
    const before = gateway.snapshot();
    const { one, id } = await device(t, { deviceId: 'kick-1' });
    one.sendMessages(...readings(50));
    one.send('nonsense\n');
    await waitFor('the lines', () => gateway.snapshot().lines.received >= before.lines.received + 52);
    assert.deepEqual(await kick({ connection_id: id, reconnect_after_ms: 1234 }), { kicked: 1, missing: [] });
    const replies = (await one.rest()).map((line) => JSON.parse(line) as Record<string, unknown>);
    const last = replies.at(-1);
    assert.deepEqual([last?.status, last?.code, last?.reconnect_after_ms], ['error', 'kicked', 1234]);
    assert.ok(replies.some(({ code }) => code === 'invalid_json'));
    assert.equal(Math.max(...replies.map(({ seq }) => Number(seq ?? -1))), 49);
    one.destroy();
    await waitFor('it is closed', () => gateway.snapshot().connections.closed.kicked === 1);
    assert.equal(gateway.snapshot().lines.refused.kicked, 1);
    const [row] = (await page({ state: 'closed', device_id: 'kick-1' })).connections;
    assert.deepEqual([row?.reason, row?.last_code, row?.lines], ['kicked', 'kicked', 52]);
    const logged = gateway.log.find(({ event }) => event === 'connections_kicked');
    assert.deepEqual(
      [logged?.connectionId, logged?.kicked, logged?.reconnectAfterMs, logged?.remoteAddress],
      [id, 1, 1234, '127.0.0.1'],
    );
  });

  it('by device_id, with a time of the gateway if none is wished', async (t) => {
    const { one } = await device(t, { deviceId: 'kick-2' });
    assert.equal((await kick({ device_id: 'kick-2' })).kicked, 1);
    const { code, reconnect_after_ms: ms = 0 } = await one.read();
    assert.equal(code, 'kicked');
    assert.ok(ms >= 5000 && ms <= 10_000, `${ms}`);
  });

  it('by address: all of its connections, also those that have not identified', async (t) => {
    const others = await device(t, { from: '127.0.0.42' });
    const from = '127.0.0.41';
    const many = await Promise.all(Array.from({ length: 5 }, () => device(t, { from })));
    const silent = await Device.connect(gateway.port, { localAddress: from });
    t.after(() => silent.destroy());
    await waitFor('six', async () => (await page({ address: from })).matching === 6);
    assert.equal((await kick({ address: `::ffff:${from}`, reconnect_after_ms: 0 })).kicked, 6);
    for (const one of [...many.map((each) => each.one), silent]) {
      const { code, reconnect_after_ms: ms } = await one.read();
      assert.deepEqual([code, ms], ['kicked', 0]);
    }
    assert.equal(others.one.ended, false);
  });

  it('kicks a connection once, however many ask at the same time', async (t) => {
    const { one, id } = await device(t);
    const replies = await Promise.all(Array.from({ length: 5 }, () => post({ connection_id: id })));
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 404, 404, 404, 404]);
    assert.deepEqual(await one.restCodes(), ['kicked']);
  });

  it('is 404 for nobody, 400 for a wrong order, and needs the token', async (t) => {
    const { one, id } = await device(t, { deviceId: 'kick-3' });
    for (const fields of [
      { connection_id: 'constructor' },
      { device_id: 'nobody' },
      { address: '127.0.0.99' },
    ]) {
      const { status, text } = await post(fields);
      assert.deepEqual([status, text], [404, 'there is no such open connection; nobody was kicked\n']);
    }
    for (const fields of [
      {},
      '',
      '{',
      '[]',
      '{"device_id":"kick-3"',
      { device_id: 'kick-3', connection_id: id },
      { device_id: ['kick-3'] },
      { device_id: '' },
      { address: 'roof' },
      { device_id: 'kick-3', reconnect_after_ms: -1 },
      { device_id: 'kick-3', reconnect_after_ms: 300_001 },
      { device_id: 'kick-3', reconnect_after_ms: 1.5 },
      { device_id: 'kick-3', reconnect_after_ms: '1e3' },
      { device_id: 'kick-3', reconnect_after_ms: null },
      { device_id: 'kick-3', when: 1 },
      '{"__proto__":{"device_id":"kick-3"}}',
    ]) {
      const { status, text } = await post(fields);
      assert.equal(status, 400, JSON.stringify(fields));
      assert.match(text, /nobody was kicked/);
    }
    const { status } = await post({ device_id: 'kick-3' }, { authorization: 'Bearer wrong' });
    assert.equal(status, 401);
    assert.equal(one.ended, false);
    const form = await post('device_id=kick-3&reconnect_after_ms=300000');
    assert.equal(form.status, 200);
    assert.equal((await one.read()).reconnect_after_ms, 300_000);
  });
});
