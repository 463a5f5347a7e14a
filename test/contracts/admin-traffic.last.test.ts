// Holds the answers of the admin port to the other test files against docs/contracts/openapi.json. The runner runs it when they
// have ended.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { operations } from '../../scripts/contracts/admin/operation-objects.ts';
import type { AdminExchange } from '../support/traffic/admin-port.ts';
import { readTraffic } from '../support/traffic/traffic-file.ts';
import { AdminJudge, type OpenApiDocument } from './judge-admin.ts';
import { DIRECTORY, IS_WHOLE, judgeMissing, SKIP } from './recorded.ts';

const DOCUMENT = new URL('../../../docs/contracts/openapi.json', import.meta.url);
/** Far fewer than a run has, and far more than a few tests. */
const MIN_EXCHANGES = 500;

/** Answers that no test brings about, with the reason. */
const NOT_SEEN: Readonly<Record<string, string>> = {};

test('traffic of the admin port', { skip: SKIP }, async (t) => {
  const document = JSON.parse(readFileSync(DOCUMENT, 'utf8')) as OpenApiDocument;
  const judge = new AdminJudge(document);
  const exchanges = readTraffic<AdminExchange>(DIRECTORY, 'admin');
  const faults = exchanges.flatMap((exchange) => judge.faults(exchange));
  t.diagnostic(`${exchanges.length} exchanges, ${judge.seen.size} kinds`);
  await t.test('is as the document says', () => assert.deepEqual([...new Set(faults)].slice(0, 20), []));
  const skip = !IS_WHOLE && 'only a whole run of npm test has all';
  await t.test('has every answer of the document', { skip }, (t) => {
    assert.ok(exchanges.length >= MIN_EXCHANGES, `only ${exchanges.length} exchanges`);
    const missing = expected().filter((names) => !names.some((name) => judge.seen.has(name)));
    const unknown = missing.flat().filter((name) => !(name in NOT_SEEN));
    judgeMissing(t, unknown);
    const found = Object.keys(NOT_SEEN).filter((name) => judge.seen.has(name));
    assert.deepEqual(found, [], 'these were seen, so NOT_SEEN need not name them');
  });
});

/** Of each answer the names under which it may be seen. An answer that comes before any page has to be seen with one of them. */
function expected(): string[][] {
  const common = new Map<string, string[]>();
  const own: string[][] = [];
  for (const { path, method, operation, answers } of operations()) {
    const name = `${method.toUpperCase()} ${path}`;
    for (const [status, { content = { 'text/plain; charset=utf-8': 'text' } }] of Object.entries(answers)) {
      if (!(status in operation.answers))
        common.set(status, [...(common.get(status) ?? []), `${name} ${status}`]);
      else {
        own.push([`${name} ${status}`]);
        for (const type of Object.keys(content)) own.push([`${name} ${status} ${type}`]);
      }
    }
    for (const parameter of Object.keys(operation.parameters ?? {})) own.push([`${name} ?${parameter}`]);
  }
  const events = ['history', 'sample', 'figures', 'end'].map((event) => [`GET /events: ${event}`]);
  const lines = ['begin', 'line', 'fate', 'passed_over', 'missing', 'end'].map((event) => [
    `GET /tap: ${event}`,
  ]);
  const others = [['GET another page 404'], ['GET /kick 405'], ['HEAD /stats 200']];
  return [...own, ...common.values(), ...events, ...lines, ...others];
}
