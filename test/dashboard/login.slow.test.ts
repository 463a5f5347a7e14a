// The login of the dashboard beyond loopback, as a browser and as a person see it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { chromiumFor } from '../support/browser.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';
import { assertAccessible } from './axe.ts';
import { Dashboard } from './dashboard.ts';

const TOKEN = 'a-token-for-tests';
/** Of a login that is refused. */
const REFUSED = /status of 40[13]/;

test('the login beyond loopback', async (t) => {
  const browser = await chromiumFor(t);
  if (browser === undefined) return;
  const gateway = await runGateway(t, temporaryDirectory(t), {
    TCP_PROCESSES: '1',
    KAFKA_BROKERS: '',
    HTTP_HOST: '0.0.0.0',
    HTTP_TOKEN: TOKEN,
  });
  const origin = `http://127.0.0.1:${gateway.httpPort}`;
  const dashboard = await Dashboard.open(t, browser, origin, { expected: [REFUSED] });
  const { page, visit } = dashboard;

  await t.test('no figures are shown before it', async () => {
    await page.locator('input[name=token]:focus').waitFor();
    assert.equal(await dashboard.region('Flow').count(), 0);
    await assertAccessible(page, 'the login');
  });
  await t.test('a wrong token is refused with a reason, and leaves no cookie', async () => {
    await dashboard.login('wrong');
    assert.match((await page.getByRole('alert').textContent()) ?? '', /HTTP_TOKEN/);
    assert.deepEqual(await visit.context.cookies(), []);
    assert.equal(await dashboard.region('Flow').count(), 0);
  });
  await t.test(
    'the right one shows the figures; scripts cannot read its cookie, other sites cannot send it',
    async () => {
      await dashboard.login(TOKEN);
      await dashboard.shown();
      const [cookie, ...others] = await visit.context.cookies();
      assert.deepEqual(others, []);
      const { httpOnly, sameSite, secure, name, value } = cookie ?? {};
      assert.deepEqual(
        { httpOnly, sameSite, secure, name },
        { httpOnly: true, sameSite: 'Strict', secure: false, name: `sluice-${gateway.httpPort}` },
      );
      assert.ok(!value?.includes(TOKEN));
      assert.equal(await page.evaluate('document.cookie'), '');
      assert.equal(
        await page.evaluate(
          'JSON.stringify([localStorage, sessionStorage, location.href]).includes("token")',
        ),
        false,
      );
    },
  );
  await t.test('it holds across a reload and in another tab', async () => {
    await page.reload();
    await dashboard.shown();
    const other = await visit.context.newPage();
    await other.goto(origin);
    await other.getByRole('region', { name: 'Flow' }).waitFor();
    await other.close();
  });
  await t.test('a POST of another site changes nothing, although the viewer is logged in', async () => {
    const evil = await visit.context.newPage();
    // Another origin of the same site: SameSite lets the cookie pass, Origin does not.
    const other = createServer((_, response) => response.end('evil')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    await evil.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    other.close();
    await evil.evaluate(
      `fetch('${origin}/drain', { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => {})`,
    );
    await waitFor('it was refused', () => gateway.said(/Origin/));
    assert.deepEqual(JSON.parse(await gateway.ask('/drain')), { draining: false });
    await evil.close();
  });
  await t.test('a logout hides the figures and removes the cookie', async () => {
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Token').waitFor();
    assert.deepEqual(await visit.context.cookies(), []);
    assert.equal(await dashboard.region('Flow').count(), 0);
    await page.reload();
    await page.getByLabel('Token').waitFor();
  });
});
