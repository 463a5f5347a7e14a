// The dashboard beside 10,000 connections: finding one of them, the memory of the page, and its cost for the gateway.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { residentBytesOf, unmappedBytesOf } from '../../scripts/lib/proc.ts';
import { chromiumFor, rendererBytes } from '../support/browser.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';
import { Dashboard, seen } from './dashboard.ts';
import { crowdOf, deviceAs, nameOf, zipcodeOf } from './stage.ts';

const CONNECTIONS = 10_000;
const MIB = 2 ** 20;
const MAX_PAGE_BYTES = 200 * MIB;
/** Share of a core, for all processes of the gateway together. */
const MAX_COST = 0.1;
const ROUND_MS = 1_500;

interface Stage {
  readonly browser: Browser;
  readonly gateway: GatewayProcess;
  readonly sockets: readonly Socket[];
  readonly page: Dashboard;
}

test('the dashboard beside 10,000 connections', async (t) => {
  const browser = await chromiumFor(t);
  if (browser === undefined) return;
  const gateway = await runGateway(t, temporaryDirectory(t), {
    TCP_PROCESSES: '2',
    TCP_MAX_CONNECTIONS: '12000',
    KAFKA_BROKERS: '',
  });
  const sockets = await crowdOf(t, gateway, CONNECTIONS);
  const origin = `http://127.0.0.1:${gateway.httpPort}`;
  const page = await (await Dashboard.open(t, browser, origin)).shown();
  const stage = { browser, gateway, sockets, page };
  await t.test('one of them is found by device, address, zipcode and city', () => isFound(stage));
  await t.test('the pages are sorted and hold each device once', () => isSorted(stage));
  await t.test('closed ones are shown with the reason', (t) => showsClosed(stage, t));
  await t.test(`the page takes less than ${MAX_PAGE_BYTES / MIB} MiB`, (t) => takesLittle(stage, t));
  await t.test('an open page costs the gateway little', (t) => costsLittle(stage, t));
});

async function isFound({ page }: Stage): Promise<void> {
  await page.search.fill(nameOf(7_654));
  await page.showsDevices([nameOf(7_654)]);
  const row = await seen(page.device(nameOf(7_654)));
  for (const part of ['127.0.0.8', zipcodeOf(7_654), `City ${7_654 % 97}`])
    assert.ok(row.includes(part), `${part} in ${row}`);
  // Each address, zipcode and city is that of many.
  for (const [search, found] of [
    ['127.0.0.8', 1_250],
    [zipcodeOf(7_654), 20],
    ['City 42', 103],
    ['crowd-0765', 10],
    ['no such device', 0],
  ] as const) {
    await page.search.fill(search);
    const total = new RegExp(`Page 1, ${found.toLocaleString('en')} found`);
    await waitFor(`${found} for ${search}`, async () => total.test(await seen(page.region('Connections'))));
  }
}

async function isSorted({ page, sockets }: Stage): Promise<void> {
  const busy = [4_321, 1_234, 2_345];
  for (const [rank, index] of busy.entries())
    for (let line = 0; line < 300 - 100 * rank; line++)
      sockets[index]?.write('{"type":"metrics","data":{"temperature":21.5}}\n');
  // The page is sorted by rate at first, and those with most lines are the first by rate, too.
  const sorted = page.page.waitForResponse((answer) => isUnsearched(answer.url(), 'lines'));
  await page.search.fill('');
  await page.page.getByRole('button', { name: 'Lines' }).click();
  await sorted;
  await page.region('Connections').locator('[aria-busy="false"]').waitFor();
  await waitFor('the busiest first', async () => {
    const first = (await page.devices()).slice(0, busy.length);
    return first.length === busy.length && busy.every((index, at) => first[at] === nameOf(index));
  });
  const firstPage = await page.devices();
  await page.page.getByRole('button', { name: 'Next' }).click();
  const secondPage = await waitFor('another page', async () => {
    const devices = await page.devices();
    return devices.length === firstPage.length && devices[0] !== firstPage[0] && devices;
  });
  assert.equal(new Set([...firstPage, ...secondPage]).size, 2 * firstPage.length);
  await page.page.getByRole('button', { name: 'Previous' }).click();
  await page.showsDevices(firstPage);
  await page.page.getByRole('button', { name: 'Lines' }).click();
  await waitFor('the quietest first', async () => !(await page.devices()).includes(nameOf(4_321)));
}

function isUnsearched(url: string, sort: string): boolean {
  const { pathname, searchParams } = new URL(url);
  return pathname === '/connections' && searchParams.get('sort') === sort && !searchParams.has('search');
}

async function showsClosed({ page, sockets, gateway }: Stage, t: TestContext): Promise<void> {
  sockets[5_555]?.end();
  await deviceAs(t, gateway.port, { device_id: nameOf(5_556) });
  await page.page.getByLabel('Recently closed').check();
  await page.search.fill('crowd-0555');
  const closed = async () =>
    (await page.devices()).length === 2 &&
    /device_end/.test(await seen(page.device(nameOf(5_555)))) &&
    /replaced/.test(await seen(page.device(nameOf(5_556))));
  await waitFor('both', closed);
  await page.page.getByLabel('Open', { exact: true }).check();
  await page.search.fill('');
}

/** Of the largest renderer process. Without the code of Chromium, about 125 MiB, which all its processes share. */
async function takesLittle({ browser, page }: Stage, t: TestContext): Promise<void> {
  const own = await rendererBytes(browser, unmappedBytesOf);
  const resident = await rendererBytes(browser, residentBytesOf);
  const heap = await page.visit.heapBytes();
  const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  t.diagnostic(`${mib(own)} without Chromium's code, ${mib(resident)} with it; heap ${mib(heap)}`);
  assert.ok(own < MAX_PAGE_BYTES, mib(own));
}

async function costsLittle({ gateway, page }: Stage, t: TestContext): Promise<void> {
  const address = page.page.url();
  const share = async (): Promise<number> => {
    const before = gateway.cpuSeconds;
    const beganMs = performance.now();
    await sleep(ROUND_MS);
    return (gateway.cpuSeconds - before) / ((performance.now() - beganMs) / 1000);
  };
  const [withPage, without]: [number[], number[]] = [[], []];
  await gateway.unasked(async () => {
    for (let round = 0; round < 2; round++) {
      withPage.push(await share());
      await page.page.goto('about:blank');
      without.push(await share());
      await page.page.goto(address);
      await page.shown();
    }
  });
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const cost = mean(withPage) - mean(without);
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
  t.diagnostic(`of a core: ${percent(mean(withPage))} with the page, ${percent(mean(without))} without`);
  assert.ok(cost < MAX_COST, percent(cost));
}
