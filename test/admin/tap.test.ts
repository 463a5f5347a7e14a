// GET /tap and /refusals of a real gateway without Kafka: its records go to the spool.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Device } from '../support/device.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { TapClient } from '../support/tap.ts';
import { waitFor } from '../support/wait.ts';

const TOKEN = 'of-the-admin-port';
const SECRET = 'S3cret-of-a-device';
const METRICS = '{"type":"metrics","data":{"a":1}}\n';

let gateway: Gateway;
let port: number;

before(async () => {
  gateway = await startGateway({ HTTP_PORT: '0', HTTP_TOKEN: TOKEN });
  ({ port } = gateway.addresses.http as AddressInfo);
});
after(() => gateway.stop());

const identify = (fields: object) =>
  `${JSON.stringify({ type: 'identify', zipcode: '90210', city: 'c', ...fields })}\n`;

async function refusals() {
  const page = (await (await fetch(`http://127.0.0.1:${port}/refusals`)).json()) as {
    refusals: { code: string; count: number; last: Record<string, unknown> | null }[];
    missing: number[];
  };
  assert.deepEqual(page.missing, []);
  return page.refusals;
}

test('each line of a device comes with its fate, the identify without its token', async (t) => {
  const tap = await TapClient.open(port, '?device_id=roof-7&limit_per_second=100');
  const [device, other] = [await Device.connect(gateway.port), await Device.connect(gateway.port)];
  t.after(() => {
    for (const one of [device, other]) one.destroy();
    tap.close();
  });
  other.send(identify({ device_id: 'other' }) + METRICS);
  device.send(
    `${identify({ device_id: 'roof-7', token: SECRET })}${METRICS}{"type":"keepalive"}\n{"broken\n`,
  );
  const accepted = await tap.until('the reading', ({ fate }) => fate === 'accepted');
  const fate = await tap.until('its fate', ({ event, id }) => event === 'fate' && id === accepted.id);
  assert.equal(fate.fate, 'spooled');
  await tap.until('the refusal', ({ code }) => code === 'invalid_json');
  assert.deepEqual(
    tap.lines.map(({ fate: first, device_id: id }) => `${id} ${first}`),
    ['roof-7 answered', 'roof-7 accepted', 'roof-7 answered', 'roof-7 refused'],
  );
  assert.ok(!JSON.stringify(tap.events).includes('S3cret'));
  assert.match(tap.lines[0]?.line ?? '', /token hidden/);
});

test('refused lines only, before identify too, and harmless to a terminal', async (t) => {
  const tap = await TapClient.open(port, '?refused');
  const device = await Device.connect(gateway.port);
  t.after(() => {
    device.destroy();
    tap.close();
  });
  device.send(`${METRICS}`);
  const line = await tap.until('the line', ({ code }) => code === 'not_identified');
  assert.equal(line.line, METRICS.trim());
  const second = await Device.identified(gateway.port);
  t.after(() => second.destroy());
  second.send(`${METRICS}\u001b]0;title\u0007<img onerror=1>\u202e\n`);
  const hostile = await tap.until('the hostile line', ({ code }) => code === 'invalid_json');
  assert.equal(hostile.line, '\\u001b]0;title\\u0007<img onerror=1>\\u202e');
  assert.ok(tap.lines.every(({ fate }) => fate === 'refused'));
});

test('as server-sent events for browsers', async () => {
  const signal = AbortSignal.timeout(10_000);
  const headers = { accept: 'text/event-stream' };
  const response = await fetch(`http://127.0.0.1:${port}/tap?seconds=1`, { headers, signal });
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const events = (await response.text()).trim().split('\n\n');
  assert.deepEqual(
    events.map((event) => (JSON.parse(event.replace(/^data: /, '')) as { event: string }).event),
    ['begin', 'end'],
  );
});

test('a fifth tap is refused, and a place is free when one ends', async (t) => {
  const taps = await Promise.all(
    ['', '?refused', '?zipcode=1', '?seconds=5'].map((query) => TapClient.open(port, query)),
  );
  t.after(() => {
    for (const tap of taps) tap.close();
  });
  assert.equal((await TapClient.open(port)).status, 503);
  taps[0]?.close();
  taps[0] = await waitFor('a free place', async () => {
    const tap = await TapClient.open(port);
    return tap.status === 200 && tap;
  });
});

for (const query of [
  'devic_id=x',
  'device_id=',
  `device_id=${'x'.repeat(257)}`,
  'device_id=a&device_id=b',
  'limit_per_second=0',
  'limit_per_second=101',
  'limit_per_second=1e2',
  'address=.*',
  'address=127.1',
  'limit_per_second=-1',
  'seconds=601',
  'seconds=',
  'refused=maybe',
  'address=.*',
  '__proto__=1',
  'constructor=1',
]) {
  test(`?${query.slice(0, 40)} is refused`, async () => {
    const response = await fetch(`http://127.0.0.1:${port}/tap?${query}`);
    assert.equal(response.status, 400);
    assert.doesNotMatch(await response.text(), /xxxx|devic_id/);
  });
}

test('hostile filters match nothing and stop nothing', async (t) => {
  const hostile = [
    'device_id=__proto__',
    'zipcode=%00',
    'address=192.0.2.1',
    `zipcode=%ff${'%F0%9F%98%80'.repeat(60)}`,
  ];
  const taps = await Promise.all(hostile.map((query) => TapClient.open(port, `?${query}&seconds=1`)));
  const device = await Device.identified(gateway.port);
  t.after(() => device.destroy());
  device.send(METRICS);
  for (const tap of taps) {
    await tap.until('the end', ({ event }) => event === 'end');
    assert.deepEqual(tap.lines, []);
  }
});

test('an address is found however it is written, and a token that is taken for a device_id is hidden', async (t) => {
  const token = `sluice_${'A'.repeat(43)}`;
  const tap = await TapClient.open(port, `?device_id=${token}&address=::FFFF:127.0.0.1`);
  const device = await Device.connect(gateway.port);
  t.after(() => {
    device.destroy();
    tap.close();
  });
  device.send(`${identify({ device_id: token })}broken\n`);
  const line = await tap.until('the broken line', ({ line }) => line === 'broken');
  assert.equal(line.device_id, '[token hidden]');
  assert.doesNotMatch(JSON.stringify([tap.lines, await refusals()]), /AAAA/);
});

test('past the limit lines are counted', async (t) => {
  const tap = await TapClient.open(port, '?device_id=fast&limit_per_second=5');
  const device = await Device.connect(gateway.port);
  t.after(() => {
    device.destroy();
    tap.close();
  });
  device.send(identify({ device_id: 'fast' }) + METRICS.repeat(2000));
  const counted = () =>
    tap.events.reduce((sum, { event, lines = 0 }) => (event === 'passed_over' ? sum + lines : sum), 0);
  await waitFor('the count', () => counted() + tap.lines.length === 2001);
  assert.ok(tap.lines.length <= 10, `${tap.lines.length} lines`);
});

test('/refusals has the last line of each code, with its count', async (t) => {
  const before = (await refusals()).find(({ code }) => code === 'already_identified')?.count ?? 0;
  const device = await Device.connect(gateway.port);
  t.after(() => device.destroy());
  device.send(identify({ device_id: 'twice' }));
  await device.readLine();
  device.send(identify({ token: SECRET }) + identify({ city: 'last', token: SECRET }));
  for (let i = 0; i < 2; i++) await device.readLine();
  const [latest] = await refusals();
  assert.deepEqual([latest?.code, latest?.count], ['already_identified', before + 2]);
  const last = latest?.last ?? {};
  assert.match(`${last.line}`, /"city":"last".*token hidden/);
  assert.deepEqual([last.device_id, last.process, last.address], ['twice', 0, '127.0.0.1']);
});

test('/refusals has samples of closing codes: the start of a long line, bytes of HTTP, and none for silence', async () => {
  for (const bytes of [`${'x'.repeat(9000)}\n`, 'GET /secret HTTP/1.1\r\n\r\n']) {
    const device = await Device.connect(gateway.port);
    device.send(bytes);
    await device.rest();
  }
  const found = await refusals();
  const lineOf = (wanted: string) => found.find(({ code }) => code === wanted)?.last?.line;
  assert.equal(lineOf('line_too_long'), 'x'.repeat(200));
  assert.match(`${lineOf('wrong_protocol')}`, /^GET \/secret/);
});

test('devices do not notice four taps that do not read', async (t) => {
  const taps = await Promise.all(
    [1, 2, 3, 4].map(() => TapClient.open(port, '?limit_per_second=100', { reads: false })),
  );
  t.after(() => {
    for (const tap of taps) tap.close();
  });
  const device = await Device.identified(gateway.port);
  t.after(() => device.destroy());
  for (let seq = 0; seq < 5; seq++) {
    device.send(METRICS.repeat(5000));
    device.sendMessages({ type: 'metrics', seq, data: { a: 1 } });
    assert.equal((await device.read()).seq, seq);
  }
});

test('no profile is taken unless HTTP_PROFILING is true', async () => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const response = await fetch(`http://127.0.0.1:${port}/profile?kind=cpu`, { method: 'POST', headers });
  assert.equal(response.status, 403);
  assert.match(await response.text(), /HTTP_PROFILING is not true/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/profile`, { method: 'POST' })).status, 401);
});

// The last one: it stops the gateway.
test('the stop of the gateway ends a tap with a last event', async () => {
  const tap = await TapClient.open(port, '?device_id=last');
  const device = await Device.connect(gateway.port);
  device.send(identify({ device_id: 'last' }) + METRICS);
  const line = await tap.until('the reading', ({ fate }) => fate === 'accepted');
  await gateway.stop();
  await waitFor('the end of the answer', () => tap.ended);
  assert.deepEqual(tap.events.at(-1), { event: 'end', reason: 'stopping', undecided: 0 });
  assert.ok(tap.events.some(({ id, fate }) => id === line.id && fate === 'spooled'));
});
