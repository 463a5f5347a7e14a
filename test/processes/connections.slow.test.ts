// Connections of several real server processes: their pages as one, kicks wherever a connection is, and a process that dies
// or hangs meanwhile.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { ConnectionRow } from '../../src/inspect/connections/page.ts';
import { Device } from '../support/device.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

const TOKEN = 'correct-horse-battery-staple';
const DEVICES = 24;
/** The kernel once gave all but one of 24 to one process. Then more of them come, until the other has two. */
const MOST_DEVICES = 480;

interface Page {
  readonly connections: readonly (ConnectionRow & { readonly process: number })[];
  readonly matching: number;
  readonly next: string | null;
  readonly missing: readonly number[];
}

let directory: string;
let gateway: GatewayProcess;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-connections-'));
  gateway = await GatewayProcess.reserve(directory, {
    KAFKA_BROKERS: '',
    TCP_PROCESSES: '2',
    HTTP_TOKEN: TOKEN,
  });
  await gateway.start();
});
after(async () => {
  await gateway.close();
  rmSync(directory, { recursive: true });
});

async function page(query: string): Promise<Page> {
  const response = await fetch(`http://127.0.0.1:${gateway.httpPort}/connections?${query}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Page;
}

async function kick(order: object): Promise<{ status: number; kicked?: number; missing?: number[] }> {
  const response = await fetch(`http://127.0.0.1:${gateway.httpPort}/kick`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify(order),
  });
  const body =
    response.status === 200 ? ((await response.json()) as { kicked: number; missing: number[] }) : {};
  return { status: response.status, ...body };
}

/** Devices of a zipcode, at least two in each process: the kernel decides which process takes a connection. */
async function fleet(
  t: TestContext,
  zipcode: string,
  localAddress = '127.0.0.1',
): Promise<Map<string, Device>> {
  const devices = new Map<string, Device>();
  const counts = async () => {
    const { connections } = await page(`zipcode=${zipcode}`);
    return [0, 1].map((index) => connections.filter(({ process: of }) => of === index).length);
  };
  for (let n = 0; n < DEVICES || (await counts()).some((count) => count < 2); n++) {
    assert.ok(n < MOST_DEVICES, 'one process takes no connections');
    const device = await Device.connect(gateway.port, { localAddress });
    t.after(() => device.destroy());
    device.sendMessages({ type: 'identify', zipcode, city: 'x', device_id: `${zipcode}-${n}` });
    const { connection_id: id = '' } = await device.read();
    devices.set(id, device);
  }
  return devices;
}

async function all(query: string): Promise<Page['connections'][number][]> {
  const rows: Page['connections'][number][] = [];
  let after: string | null = null;
  do {
    const one: Page = await page(`${query}${after === null ? '' : `&after=${after}`}`);
    rows.push(...one.connections);
    after = one.next;
  } while (after !== null);
  return rows;
}

test('pages of both processes are one list, sorted, with each connection once; or those of one process', async (t) => {
  const devices = await fleet(t, 'LIST');
  for (const sort of ['age', 'bytes', 'rate']) {
    const rows = await all(`zipcode=LIST&limit=7&sort=${sort}`);
    assert.deepEqual(new Set(rows.map(({ connection_id: id }) => id)), new Set(devices.keys()));
    assert.equal(rows.length, devices.size);
  }
  const rows = await all('zipcode=LIST&limit=7&order=asc');
  const ages = rows.map(({ since }) => Date.parse(since));
  assert.deepEqual(
    ages,
    ages.toSorted((a, b) => b - a),
  );
  const counts = [0, 1].map((index) => rows.filter(({ process: of }) => of === index).length);
  assert.ok(
    counts.every((count) => count > 0),
    `${counts}`,
  );
  for (const index of [0, 1]) {
    const ofOne = await page(`zipcode=LIST&process=${index}`);
    assert.ok(ofOne.connections.every(({ process: of }) => of === index));
    assert.equal(ofOne.matching, counts[index]);
  }
});

test('a kick finds a connection in any process, by id, device_id and address', async (t) => {
  const devices = await fleet(t, 'KICK', '127.0.0.60');
  const rows = (await page('zipcode=KICK')).connections;
  for (const index of [0, 1]) {
    const [byId, byDevice] = rows.filter(({ process: of }) => of === index);
    const wishes = [
      { connection_id: byId?.connection_id, reconnect_after_ms: 700 },
      { device_id: byDevice?.device_id, reconnect_after_ms: 700 },
    ];
    for (const [n, row] of [byId, byDevice].entries()) {
      assert.deepEqual(await kick(wishes[n] ?? {}), { status: 200, kicked: 1, missing: [] });
      const reply = await devices.get(row?.connection_id ?? '')?.read();
      assert.deepEqual([reply?.code, reply?.reconnect_after_ms], ['kicked', 700]);
    }
  }
  assert.deepEqual(await kick({ address: '127.0.0.60' }), {
    status: 200,
    kicked: devices.size - 4,
    missing: [],
  });
  for (const device of devices.values()) await waitFor('the end', () => device.ended);
  const closed = await all('state=closed&zipcode=KICK&limit=50');
  await waitFor('all are closed as kicked', async () => {
    for (const device of devices.values()) device.destroy();
    return (await page('state=closed&zipcode=KICK')).matching === devices.size;
  });
  assert.ok(closed.every(({ reason }) => reason === 'kicked'));
});

test('a process that hangs or is killed meanwhile is named, and the others answer', async (t) => {
  const devices = await fleet(t, 'HANG');
  const [, second] = gateway.children;
  assert.ok(second !== undefined);
  process.kill(second, 'SIGSTOP');
  const startMs = performance.now();
  const [half, order] = await Promise.all([page('zipcode=HANG'), kick({ device_id: 'nobody' })]);
  assert.ok(performance.now() - startMs < 3500);
  assert.deepEqual(half.missing, order.missing);
  assert.equal(half.missing.length, 1);
  assert.ok(half.matching > 0 && half.matching < devices.size);
  const asked = Array.from({ length: 20 }, () =>
    page('zipcode=HANG').then(
      () => true,
      () => false,
    ),
  );
  process.kill(second, 'SIGKILL');
  await Promise.all(asked);
  await waitFor(
    'the process is back and answers',
    async () => (await page('zipcode=HANG')).missing.length === 0,
  );
});
