// Debian's Chromium for tests. Each visit watches its page: whatever the page should never do fails the test.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { NO_CHROMIUM, startChromium } from '../../scripts/lib/chromium.ts';
import { skipWithoutTool } from './missing-tool.ts';

/** For what a page shows after an action. It only ends a test that hangs. */
const TIMEOUT_MS = 15_000;

/** Undefined, and the test is skipped loudly, if there is no Chromium and none can be installed. In CI that is a failure. */
export async function chromiumFor(t: TestContext): Promise<Browser | undefined> {
  const browser = await startChromium();
  if (browser !== undefined) {
    t.after(() => browser.close());
    return browser;
  }
  skipWithoutTool(t, NO_CHROMIUM);
  return undefined;
}

export interface VisitOptions extends BrowserContextOptions {
  /** Console errors that belong to the test, such as the status of a refused login. */
  readonly expected?: readonly RegExp[];
}

/** One tab with cookies of its own. */
export class Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Everything that the page should not have done, in words, each once. */
  readonly faults: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
  }

  /** Opens the address. When the test ends, the tab is closed, and every fault of the page fails the test. */
  static async open(
    t: TestContext,
    browser: Browser,
    url: string,
    options: VisitOptions = {},
  ): Promise<Visit> {
    const { expected = [], ...rest } = options;
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...rest });
    context.setDefaultTimeout(TIMEOUT_MS);
    const visit = new Visit(context, await context.newPage());
    t.after(async () => {
      await context.close();
      visit.assertClean();
    });
    visit.#watch(new URL(url).origin, expected);
    await visit.page.goto(url, { waitUntil: 'domcontentloaded' });
    return visit;
  }

  assertClean(): void {
    assert.deepEqual(this.faults, []);
  }

  /** Bytes of JavaScript objects that are still reachable. */
  async heapBytes(): Promise<number> {
    const session = await this.context.newCDPSession(this.page);
    // Twice: finalizers of the first run free more.
    for (const _ of [1, 2]) await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    await session.detach();
    return usedSize;
  }

  #watch(origin: string, expected: readonly RegExp[]): void {
    const { page, faults } = this;
    const report = (fault: string) => {
      if (!faults.includes(fault) && !expected.some((pattern) => pattern.test(fault))) faults.push(fault);
    };
    // A violation of the Content-Security-Policy is an error of the console.
    page.on('console', (message) => {
      if (['error', 'warning', 'assert'].includes(message.type()))
        report(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => report(`error: ${error.stack ?? error}`));
    page.on('crash', () => report('the page crashed'));
    page.on('popup', (popup) => report(`window: ${popup.url()}`));
    page.on('dialog', (dialog) => {
      report(`dialog: ${dialog.message()}`);
      void dialog.dismiss().catch(() => {});
    });
    page.on('download', (download) => report(`download: ${download.suggestedFilename()}`));
    page.on('request', (request) => {
      const { protocol, origin: target } = new URL(request.url());
      if (target !== origin && !['data:', 'blob:'].includes(protocol)) report(`request: ${request.url()}`);
    });
  }
}

/** The greatest of all renderer processes, so at least that of any page. @param bytesOf the memory of a process */
export async function rendererBytes(browser: Browser, bytesOf: (pid: number) => number): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const renderers = processInfo.filter(({ type }) => type === 'renderer');
  return Math.max(0, ...renderers.map(({ id }) => bytesOf(id)));
}
