// The addresses of the docs that alerts and the dashboard link to.
import { readFileSync } from 'node:fs';

const PACKAGE = new URL('../../../package.json', import.meta.url);
const { repository } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { repository: { url: string } };
const ADDRESS = repository.url.replace(/^git\+|\.git$/g, '');

export const docsUrl = (page: string) => `${ADDRESS}/blob/main/docs/${page}`;

/** The heading of an alert is its name, and its anchor the name in lower case. */
export const runbookUrl = (alert: string) => docsUrl(`operations.md#${alert.toLowerCase()}`);
