// npm run screenshots [-- --seconds 900]: starts a Kafka and a gateway with weather stations, and photographs the dashboard
// in docs/images: light, dark, on a phone, and with Kafka stopped. Figures differ from run to run.
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { startKafka } from './kafka/cluster.ts';
import { freePort } from './kafka/ports.ts';
import { NO_CHROMIUM, startChromium } from './lib/chromium.ts';
import { spawnGateway } from './lib/gateway-child.ts';
import { pictureFonts } from './screenshots/fonts.ts';
import { Stations } from './screenshots/stations.ts';

const DIRECTORY = fileURLToPath(new URL('../../docs/images', import.meta.url));
const STATIONS = 400;
const DEADLINE_MS = 60_000;
/** Down to the charts. */
const WIDE = { width: 1280, height: 1250 };
const OUTAGE = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844 };

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '300' } } });
const directory = mkdtempSync(join(tmpdir(), 'sluice-screenshots-'));
const fonts = pictureFonts(directory);
const browser = await startChromium(fonts === undefined ? {} : { FONTCONFIG_FILE: fonts });
if (browser === undefined) {
  console.error(NO_CHROMIUM);
  process.exit(1);
}
const cluster = await startKafka();
const [tcp, http] = [await freePort(), await freePort()];
const env = {
  TCP_PORT: String(tcp),
  HTTP_PORT: String(http),
  TCP_PROCESSES: '2',
  KAFKA_BROKERS: cluster.bootstrap,
  SPOOL_DIR: join(directory, 'spool'),
};
let log = '';
const { child, exited } = spawnGateway({ directory, env }, (line) => {
  log += `${line}\n`;
});
const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  for (const deadline = performance.now() + DEADLINE_MS; !(await holds()); await sleep(50))
    if (performance.now() > deadline || child.exitCode !== null) throw new Error(`not so: ${what}\n${log}`);
};
let stations: Stations | undefined;
try {
  await until('the gateway serves', () => log.includes('TCP server listening'));
  stations = new Stations(tcp, STATIONS);
  const url = `http://127.0.0.1:${http}/`;
  console.log(`${STATIONS} stations send to ${url} for ${values.seconds} s ...`);
  await sleep(1000 * Number(values.seconds));
  mkdirSync(DIRECTORY, { recursive: true });
  await photograph(browser, url, 'dashboard-light', { viewport: WIDE, colorScheme: 'light' });
  await photograph(browser, url, 'dashboard-dark', { viewport: WIDE, colorScheme: 'dark' });
  const phone = { viewport: PHONE, deviceScaleFactor: 2, hasTouch: true, isMobile: true } as const;
  await photograph(browser, url, 'dashboard-phone', { ...phone, colorScheme: 'light' });
  await cluster.brokers[0]?.stop('SIGKILL');
  const outage = { viewport: OUTAGE, colorScheme: 'light' } as const;
  await photograph(browser, url, 'dashboard-outage', outage, async (page) => {
    await page.getByText('What to do').first().waitFor({ timeout: DEADLINE_MS });
    // Some records lie on disk, and the spool grows.
    await sleep(15_000);
  });
} finally {
  stations?.close();
  child.kill('SIGKILL');
  await exited;
  await Promise.all([browser.close(), cluster.stop()]);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

async function photograph(
  browser: Browser,
  url: string,
  name: string,
  options: BrowserContextOptions,
  prepare: (page: Page) => Promise<void> = () => sleep(2_500),
): Promise<void> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  await page.goto(url);
  await prepare(page);
  const path = join(DIRECTORY, `${name}.png`);
  await page.screenshot({ path });
  await context.close();
  console.log(`docs/images/${name}.png, ${Math.round(statSync(path).size / 1024)} KiB`);
}
