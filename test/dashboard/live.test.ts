// The dashboard of a gateway with two processes, a load and a Kafka that stops: it shows, keeps and changes things.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Browser } from 'playwright-core';
import type { KafkaBroker } from '../../scripts/kafka/broker.ts';
import { chromiumFor } from '../support/browser.ts';
import type { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { kafkaTakes } from '../support/health.ts';
import { startCluster, clusterTest as test } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { assertAccessible } from './axe.ts';
import { Dashboard, numberOf, seen } from './dashboard.ts';
import { deviceAs, keepSending } from './stage.ts';

const TOKEN = 'a-token-for-tests';
const DEVICES = 12;
const LINES_PER_SECOND = 100 * DEVICES;
const MIB = 2 ** 20;

interface Stage {
  readonly browser: Browser;
  readonly gateway: GatewayProcess;
  readonly broker: KafkaBroker;
  readonly devices: readonly Device[];
  readonly origin: string;
  /** A tab that stays open for the length of the test. */
  readonly open: Dashboard;
}

const CASES: Readonly<Record<string, (stage: Stage, t: TestContext) => Promise<void>>> = {
  'figures move under load, and both balances add up at each look': figuresMove,
  'the processes add up to the whole, and each can be looked into': eachProcess,
  'a login on loopback is needed for changes; kick and log level work from the page': changes,
  'all of it works by keyboard': byKeyboard,
  'a banner comes when Kafka stops, says what to do, and goes when Kafka is back': outage,
  'without load the page and /stats have the same figures': agrees,
  'a reload and a new tab show what was before them': keepsHistory,
  'a phone and a narrow window scroll in one direction only, and leave no gap': onPhone,
};

test('the dashboard', async (t) => {
  const browser = await chromiumFor(t);
  if (browser === undefined) return;
  const cluster = await startCluster();
  t.after(() => cluster.stop());
  const [broker] = cluster.brokers;
  assert.ok(broker);
  const gateway = await runGateway(t, temporaryDirectory(t), {
    KAFKA_BROKERS: cluster.bootstrap,
    TCP_PROCESSES: '2',
    HTTP_TOKEN: TOKEN,
  });
  const devices: Device[] = [];
  for (let index = 0; index < DEVICES; index++)
    devices.push(await deviceAs(t, gateway.port, { device_id: `roof-${index}`, zipcode: `1000${index}` }));
  const origin = `http://127.0.0.1:${gateway.httpPort}`;
  await waitFor('Kafka takes records', () => kafkaTakes(gateway.stats));
  const open = await (await Dashboard.open(t, browser, origin)).shown();
  const stage = { browser, gateway, broker, devices, origin, open };
  const firstHeap = await open.visit.heapBytes();
  for (const [name, run] of Object.entries(CASES)) await t.test(name, (t) => run(stage, t));
  await t.test('the tab that was open all the time keeps its memory', async (t) => {
    const heap = await open.visit.heapBytes();
    t.diagnostic(`heap ${(firstHeap / MIB).toFixed(1)} MiB, then ${(heap / MIB).toFixed(1)} MiB`);
    assert.ok(heap < firstHeap + 6 * MIB, `${firstHeap} bytes became ${heap}`);
  });
  await t.test('a drain from the page ends the gateway, and the page says that it is gone', () =>
    drain(stage),
  );
});

async function figuresMove({ open, devices, gateway }: Stage, t: TestContext): Promise<void> {
  keepSending(t, devices);
  let before = -1;
  for (let look = 0; look < 3; look++) {
    await waitFor('more lines', async () => ((await open.ledger('Lines')).get('Received') ?? 0) > before);
    const [lines, records] = [await open.ledger('Lines'), await open.ledger('Records')];
    before = lines.get('Received') ?? 0;
    assertBalanced(lines, ['Received'], ['Accepted', 'Refused', 'Waiting']);
    assertBalanced(
      records,
      ['Accepted', 'Recovered'],
      ['Stored in Kafka', 'In the spool', 'In flight', 'Open', 'Dead-lettered', 'Damaged', 'Abandoned'],
    );
  }
  await waitFor('the rate of the load', async () => {
    const text = await open.tile('Received');
    const rate = numberOf(/([\d,.]+)\s+lines\/s/.exec(text)?.[1]);
    return rate > 0.6 * LINES_PER_SECOND && rate < 1.4 * LINES_PER_SECOND;
  });
  await waitFor('the same lines in the figures', () => gateway.stats.lines.received >= before);
}

function assertBalanced(
  ledger: ReadonlyMap<string, number>,
  incoming: readonly string[],
  places: readonly string[],
): void {
  const sum = (labels: readonly string[]) =>
    labels.reduce((total, label) => total + (ledger.get(label) ?? Number.NaN), 0);
  assert.ok(sum(incoming) === sum(places), JSON.stringify([...ledger]));
}

async function eachProcess({ open, gateway, origin, browser }: Stage, t: TestContext): Promise<void> {
  const devicesOf = async (page: Dashboard) =>
    numberOf(/Devices\s+([\d,]+)/.exec(await page.tile('Devices'))?.[1]);
  const cells = await Promise.all(
    [0, 1].map((index) => open.row('Processes', `Process ${index}`).getByRole('cell').allInnerTexts()),
  );
  const counts = cells.map(([, devices]) => numberOf(devices));
  assert.equal(
    counts.reduce((a, b) => a + b),
    DEVICES,
  );
  assert.equal(await devicesOf(open), gateway.stats.connections.active);
  const page = await (await Dashboard.open(t, browser, origin)).shown();
  for (const [index, count] of counts.entries()) {
    await page.page.getByRole('combobox', { name: /^View/ }).selectOption(`Process ${index}`);
    await waitFor(`the figures of process ${index}`, async () => (await devicesOf(page)) === count);
    await waitFor('its connections', async () => (await page.devices()).length === count);
  }
  await page.page.getByRole('combobox', { name: /^View/ }).selectOption('All processes');
  await waitFor('the sum', async () => (await devicesOf(page)) === DEVICES);
}

/** Number of pixel columns that the main line of a chart covers. */
async function drawnWidth(dashboard: Dashboard, chart: string): Promise<number> {
  return await dashboard.page.evaluate<number>(`{
    const canvas = document.querySelector('[role=img][aria-label^="${chart}"] canvas');
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height + 1).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    copy.fillStyle = getComputedStyle(canvas).getPropertyValue('--accent').trim();
    copy.fillRect(0, height, 1, 1);
    const [red, green, blue] = copy.getImageData(0, height, 1, 1).data;
    const { data } = copy.getImageData(0, 0, width, height);
    const columns = new Set();
    for (let at = 0; at < data.length; at += 4)
      if (Math.abs(data[at] - red) + Math.abs(data[at + 1] - green) + Math.abs(data[at + 2] - blue) < 30 && data[at + 3] > 128)
        columns.add((at / 4) % width);
    columns.size;
  }`);
}

async function keepsHistory({ open, browser, origin }: Stage, t: TestContext): Promise<void> {
  // A pixel is some three seconds, so a new page draws that much by itself only after a quarter of a minute.
  const before = await waitFor('a line', async () => {
    const width = await drawnWidth(open, 'Throughput');
    return width >= 6 && width;
  });
  const page = await (await Dashboard.open(t, browser, origin)).shown();
  for (const again of [false, true]) {
    if (again) await page.page.reload();
    await page.shown();
    await waitFor('the line', async () => (await drawnWidth(page, 'Throughput')) >= before - 1, 5_000);
  }
}

async function changes({ gateway, devices, browser, origin }: Stage, t: TestContext): Promise<void> {
  // A tab of its own: axe-core would count as memory of the page.
  const open = await (await Dashboard.open(t, browser, origin)).shown();
  const { page } = open;
  await open.search.fill('roof-3');
  await open.showsDevices(['roof-3']);
  assert.equal(await page.getByRole('button', { name: /^Kick/ }).count(), 0);
  assert.ok(await page.getByLabel('Log level', { exact: true }).isDisabled());
  await logIn(open);

  await page.getByRole('button', { name: 'Kick roof-3' }).click();
  await assertAccessible(page, 'the dialog');
  await page.getByLabel('Reconnect after').fill('7');
  assert.match(await open.confirm('Kick'), /ended/);
  const codes = (await devices[3]?.rest())?.map((line) => JSON.parse(line) as Record<string, unknown>) ?? [];
  const { code, reconnect_after_ms: wait } = codes.at(-1) ?? {};
  assert.deepEqual([code, wait], ['kicked', 7_000]);
  await open.search.fill('roof-3');
  await page.getByLabel('Recently closed').check();
  await waitFor('it, with the reason', async () => /kicked/.test(await seen(open.device('roof-3'))));
  await page.getByLabel('Open', { exact: true }).check();
  await open.search.fill('');

  await page.getByLabel('Log level', { exact: true }).selectOption('debug');
  assert.match(await open.confirm('Set log level'), /debug/);
  assert.equal((JSON.parse(await gateway.ask('/log-level')) as { level: string }).level, 'debug');
  await waitFor('the log has both', () => gateway.said(/kick/i) && gateway.said(/log level/i));
  await page.getByLabel('Log level', { exact: true }).selectOption('info');
  await open.confirm('Set log level');
}

async function logIn(dashboard: Dashboard): Promise<void> {
  await dashboard.page.getByRole('button', { name: 'Log in', exact: true }).first().click();
  await dashboard.login(TOKEN);
  await dashboard.page.getByRole('button', { name: 'Log out' }).waitFor();
}

async function byKeyboard({ browser, origin }: Stage, t: TestContext): Promise<void> {
  const dashboard = await (await Dashboard.open(t, browser, origin)).shown();
  const { page } = dashboard;
  const focused = () =>
    page.evaluate<string>('document.activeElement?.textContent || document.activeElement?.tagName');
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 80; presses++) {
      await page.keyboard.press('Tab');
      const label = await page.evaluate<string>(
        `(document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent ?? '').trim()`,
      );
      if (name.test(label)) return;
    }
    assert.fail(`Tab never reached ${name}`);
  };
  await page.keyboard.press('Tab');
  assert.match(await focused(), /Skip to content/);
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate('document.activeElement.id'), 'content');
  await tabTo(/^Search connections/);
  await page.keyboard.type('roof-7');
  await dashboard.showsDevices(['roof-7']);
  await tabTo(/^Lines/);
  const header = dashboard.region('Connections').getByRole('columnheader', { name: 'Lines' });
  await page.keyboard.press('Enter');
  await waitFor('the order', async () => (await header.getAttribute('aria-sort')) === 'descending');
  await page.keyboard.press('Space');
  await waitFor('the other order', async () => (await header.getAttribute('aria-sort')) === 'ascending');
  // The focus is seen.
  assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none');
}

async function outage(
  { open, gateway, broker, devices, browser, origin }: Stage,
  t: TestContext,
): Promise<void> {
  assert.equal(await seen(open.banner), '');
  keepSending(t, devices);
  await broker.stop('SIGTERM');
  await waitFor('the banner', async () => /kafka/.test(await seen(open.banner)), 10_000);
  assert.match(await seen(open.banner), /ECONNREFUSED[\s\S]*What to do/);
  await waitFor(
    'records in the spool',
    async () => ((await open.ledger('Records')).get('In the spool') ?? 0) > 0,
  );
  assertBalanced(
    await open.ledger('Records'),
    ['Accepted', 'Recovered'],
    ['Stored in Kafka', 'In the spool', 'In flight', 'Open', 'Dead-lettered', 'Damaged', 'Abandoned'],
  );
  const starting = broker.start();
  // Contrast counts most in an outage.
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await (await Dashboard.open(t, browser, origin, { colorScheme })).shown();
    await assertAccessible(page.page, colorScheme);
  }
  await starting;
  await waitFor('all is well', async () => (await seen(open.banner)) === '');
  assert.equal(gateway.stats.records.abandoned, 0);
}

async function agrees({ open, gateway }: Stage): Promise<void> {
  const shown = async () => {
    const [ofLines, ofRecords] = [await open.ledger('Lines'), await open.ledger('Records')];
    return ['Received', 'Refused']
      .map((label) => ofLines.get(label))
      .concat(['Accepted', 'Stored in Kafka'].map((label) => ofRecords.get(label)));
  };
  // The last lines of the load may still be under way, so both are read again and again.
  await waitFor('the same figures', async () => {
    const onPage = await shown();
    const { lines, records } = gateway.stats;
    const counted = [lines.received, lines.refusedLines, records.accepted, records.confirmed];
    return records.confirmed > 0 && isDeepStrictEqual(onPage, counted);
  });
}

async function onPhone({ browser, origin }: Stage, t: TestContext): Promise<void> {
  for (const width of [320, 390, 900]) {
    const dashboard = await Dashboard.open(t, browser, origin, {
      viewport: { width, height: 800 },
      isMobile: true,
      hasTouch: true,
    });
    await dashboard.shown();
    await waitFor('rows', async () => (await dashboard.devices()).length > 0);
    const [inside, outside] = await dashboard.page.evaluate<[number, number]>(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    );
    assert.ok(inside <= outside, `${inside} pixels in a page of ${width}`);
    const columns = await dashboard.page.evaluate<string>(
      "getComputedStyle(document.querySelector('.tiles')).gridTemplateColumns",
    );
    assert.equal(6 % columns.split(' ').length, 0, `no empty place beside the tiles: ${columns}`);
    if (width === 390) await assertAccessible(dashboard.page, 'the phone');
  }
}

async function drain({ open, gateway }: Stage): Promise<void> {
  await logIn(open);
  await open.page.getByRole('button', { name: /^Drain/ }).click();
  assert.match(await open.confirm('Drain and stop'), /drains/);
  assert.equal(await gateway.exited(), 0);
  await waitFor('the page says so', async () => /Gateway lost/.test(await seen(open.banner)));
}
