// The faults of a page that a visit sees (test/support/browser.ts), on pages that commit each one.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { chromiumFor, Visit } from '../support/browser.ts';
import { waitFor } from '../support/wait.ts';

const POLICY = "default-src 'none'; script-src 'self' 'sha256-XXX'; img-src *";
const PAGES: Readonly<Record<string, { html: string; policy?: string; fault: RegExp }>> = {
  console: { html: '<script>console.error("broken")</script>', fault: /^console: broken/ },
  error: { html: '<script>missing()</script>', fault: /^error: ReferenceError/ },
  alert: { html: '<script>alert(1)</script>', fault: /^dialog: 1/ },
  violation: {
    html: '<script>document.title="ran"</script>',
    policy: POLICY,
    fault: /^console: .*Content Security Policy/,
  },
  handler: {
    html: '<img src=x onerror="alert(1)">',
    policy: POLICY,
    fault: /^console: .*Content Security Policy/,
  },
  elsewhere: { html: '<img src="http://127.0.0.2:1/x.png">', fault: /^request: http:\/\/127\.0\.0\.2:1/ },
};

test('a visit sees what a page must not do', async (t) => {
  const browser = await chromiumFor(t);
  if (browser === undefined) return;
  const server = createServer(({ url = '' }, response) => {
    const page = PAGES[url.slice(1)];
    response.writeHead(page ? 200 : 204, {
      'Content-Type': 'text/html',
      ...(page?.policy && { 'Content-Security-Policy': page.policy }),
    });
    response.end(page && `<!doctype html><title>page</title><link rel=icon href="data:,">${page.html}`);
  }).listen(0, '127.0.0.1');
  t.after(() => server.close().closeAllConnections());
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const [name, { fault }] of Object.entries(PAGES))
    await t.test(name, async (t) => {
      const visit = await Visit.open(t, browser, `${origin}/${name}`);
      await waitFor('the fault', () => visit.faults.some((one) => fault.test(one)), 5_000);
      assert.throws(() => visit.assertClean());
      assert.notEqual(await visit.page.evaluate('document.title'), 'ran');
      visit.faults.length = 0;
    });
});
