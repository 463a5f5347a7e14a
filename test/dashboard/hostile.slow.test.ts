// Texts of devices that attack whoever reads them: on the dashboard they stay text, and nothing in them runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromiumFor } from '../support/browser.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';
import { Dashboard, seen } from './dashboard.ts';
import { deviceAs, identify } from './stage.ts';

const RUNS = 'document.title=666';
const IMAGE = `<img src=x onerror="${RUNS}">`;
const CITIES = {
  image: IMAGE,
  script: `</td></table><script>${RUNS}</script>`,
  frame: `<iframe srcdoc="<script>parent.${RUNS}</script>">`,
  style: '<style>*{display:none}</style>',
  link: `<a href="javascript:${RUNS}">click</a>`,
  entity: '&lt;b&gt;&#x3c;&quot;',
  template: `{{${RUNS}}}\${${RUNS}}`,
  turned: '\u202egnp.exe\u2066\u200f',
  stacked: `Z${'\u0335\u0321\u031b'.repeat(40)}`,
  wide: 'W'.repeat(128),
} as const;
/** Those that are short enough for a zipcode, by the names of devices. */
const ZIPCODES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(CITIES)
    .filter(([, text]) => text.length <= 64)
    .map(([name, text]) => [`zip-${name}`, text]),
);
/** Lines that are refused with different codes. */
const REFUSED = {
  invalid_json: `${IMAGE}\u001b[2J\u001b]0;owned\u0007\u202e`,
  invalid_message: `{"type":"<script>${RUNS}</script>\\u0000\\u001b[31m\\u202e"}`,
} as const;
/** Characters that a terminal, or the order of a text, obeys. */
const ACTIVE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

test('texts of devices stay text', async (t) => {
  const browser = await chromiumFor(t);
  if (browser === undefined) return;
  const gateway = await runGateway(t, temporaryDirectory(t), {
    TCP_PROCESSES: '1',
    KAFKA_BROKERS: '',
    HTTP_TOKEN: 'a-token-for-tests',
  });
  for (const [name, city] of Object.entries(CITIES))
    await deviceAs(t, gateway.port, { device_id: name, city });
  for (const [name, zipcode] of Object.entries(ZIPCODES))
    await deviceAs(t, gateway.port, { device_id: name, zipcode });
  // The protocol allows none of this as device_id and zipcode, so it is seen as a refused line.
  for (const wrong of [{ device_id: IMAGE }, { zipcode: `${IMAGE}\t` }]) {
    const device = await Device.connect(gateway.port);
    t.after(() => device.destroy());
    device.send(identify(wrong));
    await device.readLine();
  }
  const sender = await deviceAs(t, gateway.port, { device_id: 'sender' });
  for (const line of Object.values(REFUSED)) {
    sender.send(`${line}\n`);
    await sender.readLine();
  }
  const closed = await deviceAs(t, gateway.port, { device_id: 'gone', city: IMAGE });
  closed.halfClose();

  const dashboard = await (await Dashboard.open(t, browser, `http://127.0.0.1:${gateway.httpPort}`)).shown();
  const { page, visit } = dashboard;
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));

  await t.test('as city and as zipcode', async () => {
    const texts = { ...CITIES, ...ZIPCODES };
    await waitFor(
      'all are shown',
      async () => (await dashboard.devices()).length > Object.keys(texts).length,
    );
    for (const [name, given] of Object.entries(texts)) {
      const text = (await dashboard.device(name).textContent()) ?? '';
      if (ACTIVE.test(given)) assert.ok(!ACTIVE.test(text), JSON.stringify(text));
      else assert.ok(text.includes(given), `${given} in ${text}`);
    }
  });
  await t.test('as refused line', async () => {
    const rows = await waitFor('both lines', async () => {
      const texts = await Promise.all(
        Object.keys(REFUSED).map((code) => dashboard.row('Refusals', code).textContent()),
      );
      return texts.every((text) => text?.includes(RUNS)) && texts;
    });
    for (const row of rows) assert.ok(!ACTIVE.test(row ?? ''), JSON.stringify(row));
    assert.ok(rows[0]?.includes(IMAGE), rows[0] ?? '');
  });
  await t.test('as a search, which finds the text', async () => {
    await dashboard.search.fill('<img src=x');
    await waitFor(
      'both are shown',
      async () => (await dashboard.devices()).sort().join() === 'image,zip-image',
    );
    await dashboard.search.fill('');
  });
  await t.test('of a closed connection, and in the dialog that kicks it', async () => {
    await page.getByLabel('Recently closed').check();
    await waitFor('the closed one', async () => (await seen(dashboard.device('gone'))).includes(IMAGE));
    await page.getByLabel('Open', { exact: true }).check();
  });
  await t.test('and nothing of it has become a part of the page or has run', async () => {
    assert.equal(
      await page
        .locator('img, iframe, script:not([src]):not([type=importmap]), style, a[href^=javascript]')
        .count(),
      0,
    );
    assert.ok(!(await page.title()).includes('666'));
    assert.ok(!asked.includes('/x'));
    // Long and stacked texts stay in their cells.
    const [inside, outside] = await page.evaluate<[number, number]>(
      '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
    );
    assert.ok(inside <= outside, `${inside} pixels in a page of ${outside}`);
    visit.assertClean();
  });
});
