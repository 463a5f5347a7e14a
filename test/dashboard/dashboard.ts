// The dashboard as a person finds it: by the names and roles of its parts, never by its styles.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Browser, Locator, Page } from 'playwright-core';
import { Visit, type VisitOptions } from '../support/browser.ts';
import { waitFor } from '../support/wait.ts';

export class Dashboard {
  readonly visit: Visit;
  readonly page: Page;

  private constructor(visit: Visit) {
    this.visit = visit;
    this.page = visit.page;
  }

  /** @param origin with scheme and port */
  static async open(
    t: TestContext,
    browser: Browser,
    origin: string,
    options?: VisitOptions,
  ): Promise<Dashboard> {
    return new Dashboard(await Visit.open(t, browser, `${origin}/`, options));
  }

  /** Resolves when figures are shown. */
  async shown(): Promise<this> {
    await this.region('Flow').waitFor();
    return this;
  }

  region(title: string): Locator {
    return this.page.getByRole('region', { name: title, exact: true });
  }

  /** The banner with reasons and remedies. Its text is empty if all is well. */
  get banner(): Locator {
    return this.page.getByRole('status', { name: 'What is wrong' });
  }

  /** The whole numbers of a balance, by label: `Received`, `In the spool`. */
  async ledger(title: string): Promise<Map<string, number>> {
    const table = this.region('Balance').getByRole('table', { name: title });
    // One reading of all rows, so that the numbers are of one moment.
    const rows = await table.getByRole('row').allInnerTexts();
    return new Map(
      rows.flatMap((row) => {
        const [, label, number] = /^\W*([A-Z][\w -]*?)\s+([\d,]+)(?:\s|$)/.exec(row) ?? [];
        return label === undefined ? [] : [[label, numberOf(number)] as const];
      }),
    );
  }

  /** The text of one of the figures of the flow. */
  async tile(label: string): Promise<string> {
    return await seen(this.region('Flow').getByRole('listitem').filter({ hasText: label }));
  }

  /** The row of a table in a section, by a text in it. */
  row(section: string, text: string | RegExp): Locator {
    return this.region(section).getByRole('row').filter({ hasText: text });
  }

  /** The row of the connection of a device. */
  device(name: string): Locator {
    const named = this.page.getByRole('rowheader', { name, exact: true });
    return this.region('Connections').getByRole('row').filter({ has: named });
  }

  get search(): Locator {
    return this.page.getByRole('searchbox', { name: 'Search connections' });
  }

  /** The first cell of each row that is shown. */
  async devices(): Promise<string[]> {
    const names = await this.region('Connections').getByRole('rowheader').allInnerTexts();
    return names.map((name) => name.trim());
  }

  /** Resolves when exactly these devices are shown. */
  async showsDevices(expected: readonly string[]): Promise<void> {
    await becomes('the devices', () => this.devices(), expected);
  }

  async login(token: string): Promise<void> {
    await this.page.getByLabel('Token').fill(token);
    await this.page.getByRole('button', { name: 'Log in', exact: true }).last().click();
  }

  /** Presses the button of the open dialog, and resolves with the outcome that it tells. */
  async confirm(action: string): Promise<string> {
    const dialog = this.page.getByRole('dialog');
    await dialog.getByRole('button', { name: action, exact: true }).click();
    const outcome = (await dialog.getByRole('alert').textContent()) ?? '';
    // A keyboard goes on: its button has the focus.
    await dialog.locator('button:focus', { hasText: 'Close' }).waitFor();
    await this.page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'hidden' });
    return outcome;
  }
}

/** Resolves when `read` gives the expected value; the failure at the deadline has the last one. */
export async function becomes<T>(what: string, read: () => Promise<T>, expected: T): Promise<void> {
  let last: T | undefined;
  await waitFor(what, async () => {
    last = await read();
    return isDeepStrictEqual(last, expected);
  }).catch(() => assert.deepEqual(last, expected, what));
}

/** The text as it is seen. Empty if the part is not there. */
export async function seen(part: Locator): Promise<string> {
  return (await part.allInnerTexts()).join('\n').trim();
}

export function numberOf(text: string | null | undefined): number {
  return Number((text ?? '').replaceAll(',', '').replace(/[^\d.-].*$/, ''));
}
