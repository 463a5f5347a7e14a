// docs/contracts/openapi.json: it is OpenAPI 3.1, it names every page of the admin port, and its judge finds what differs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Validator } from '@seriousme/openapi-schema-validator';
import { openApi } from '../../scripts/contracts/admin/document.ts';
import { SCHEMAS } from '../../scripts/contracts/admin/schemas.ts';
import { COLUMNS } from '../../src/admin/live/columns.ts';
import { ROUTES } from '../../src/admin/routes.ts';
import { sampleSnapshot } from '../admin/sample-snapshot.ts';
import type { AdminExchange } from '../support/traffic/admin-port.ts';
import { AdminJudge, type OpenApiDocument } from './judge-admin.ts';

// From dist/test/contracts.
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/admin-api.md'), 'utf8');
const document = openApi() as OpenApiDocument & Record<string, unknown>;
const judge = new AdminJudge(document);

test('the document is valid by the official schema of OpenAPI 3.1', async () => {
  const validator = new Validator();
  assert.deepEqual(await validator.validate(structuredClone(document)), { valid: true });
  assert.equal(validator.version, '3.1');
  const { paths: _, ...broken } = structuredClone(document);
  assert.equal((await new Validator().validate({ ...broken, paths: { stats: {} } })).valid, false);
});

test('the command of docs/contracts.md finds the document valid', () => {
  const command = 'npx validate-api docs/contracts/openapi.json';
  assert.ok(readFileSync(join(ROOT, 'docs/contracts.md'), 'utf8').includes(`\n${command}\n`));
  const [, program = '', file = ''] = command.split(' ');
  const said = execFileSync(join(ROOT, 'node_modules/.bin', program), [file], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  assert.deepEqual(JSON.parse(said), { valid: true });
});

test('every schema is JSON Schema 2020-12, also for a strict reader', () => {
  judge.compileAll();
  const { schemas } = document.components;
  const broken = { ...schemas, Session: { ...schemas.Session, type: 'objekt' } };
  assert.throws(() => new AdminJudge({ ...document, components: { schemas: broken } }));
});

test('each page has an operation for each method that it answers', () => {
  for (const [path, { reply, change, get, post }] of Object.entries(ROUTES)) {
    assert.equal(get !== undefined, reply !== undefined, `GET ${path}`);
    assert.equal(post !== undefined, change !== undefined, `POST ${path}`);
    const there = Object.keys(document.paths[path] ?? {});
    assert.deepEqual(there, [...(reply ? ['get'] : []), ...(change ? ['post'] : [])], path);
  }
});

test('each operation has an id of its own', () => {
  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map((operation) => (operation as { operationId?: string }).operationId),
  );
  assert.ok(ids.length > 20 && ids.every((id) => /^(?:get|post)[A-Z]\w+$/.test(id ?? '')));
  assert.equal(new Set(ids).size, ids.length);
});

test('docs/admin-api.md names every column of the history', () => {
  for (const column of COLUMNS) {
    const [, name = column, share] = /^(.*)(\.p99)$/.exec(column) ?? [];
    assert.ok(PAGE.includes(`\`${share ?? name}\``), column);
  }
});

test('every schema is used, and docs/admin-api.md names every page', () => {
  const text = JSON.stringify(document.paths);
  for (const name of Object.keys(SCHEMAS))
    assert.ok(text.includes(`"#/components/schemas/${name}"`), `nobody uses ${name}`);
  for (const path of Object.keys(ROUTES)) assert.ok(PAGE.includes(`${path}`), path);
});

test('the examples of docs/admin-api.md fit their schemas', () => {
  const [session = ''] = /\{"login":.*?\}/.exec(PAGE) ?? [];
  const [kicked = ''] = /^\{"kicked":.*\}$/m.exec(PAGE) ?? [];
  // An event that is cut short in the page is no JSON.
  const events = [...PAGE.matchAll(/^(\{"event":.*\})$/gm)].flatMap(([text]) => (isJson(text) ? text : []));
  assert.ok(events.length >= 5, `${events.length} events`);
  const type = 'application/x-ndjson; charset=utf-8';
  const exchanges: Partial<AdminExchange>[] = [
    { target: '/session', body: session },
    { method: 'POST', target: '/kick', body: kicked },
    {
      target: '/tap',
      headers: { ...STREAM, 'content-type': type },
      body: `${events.join('\n')}\n`.replaceAll('"at":"…"', '"at":"2026-11-28T21:20:03.118Z"'),
    },
  ];
  for (const exchange of exchanges) assert.deepEqual(judge.faults({ ...EXCHANGE, ...exchange }), []);
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
};
const EXCHANGE: AdminExchange = {
  method: 'GET',
  target: '/stats',
  requestType: '',
  requestBody: '',
  status: 200,
  headers: HEADERS,
  body: JSON.stringify(sampleSnapshot()),
  isWhole: true,
};
const TEXT = { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' };
const STREAM = { ...HEADERS, 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };

const changed = (change: (figures: Record<string, Record<string, unknown>>) => void): string => {
  const figures = structuredClone(sampleSnapshot()) as never;
  change(figures);
  return JSON.stringify(figures);
};
const events = (text: string) => ({ target: '/events', headers: STREAM, body: text });

/** What is changed in an exchange that is right, and what the judge says to it; nothing if that is right as well. */
const CASES: Readonly<Record<string, readonly [Partial<AdminExchange>, RegExp?]>> = {
  'an exchange that is right': [{}],
  'an answer to HEAD': [{ method: 'HEAD', body: '' }],
  'an answer by Node itself': [{ status: 400, headers: {}, body: null }],
  'a refused parameter': [{ target: '/connections?limit=101', status: 400, headers: TEXT, body: 'limit\n' }],
  'a missing header': [{ headers: { ...HEADERS, 'cache-control': 'public' } }, /cache-control/],
  'another status': [{ status: 201 }, /no such status/],
  'another content type': [{ headers: TEXT }, /no content of the type/],
  'a field that no schema names': [{ body: changed((it) => Object.assign(it, { more: 1 })) }, /additional/],
  'a field that is missing': [{ body: changed((it) => delete it.lines?.received) }, /required.*received/],
  'a number that is a text': [
    { body: changed((it) => Object.assign(it.lines ?? {}, { received: '1' })) },
    /received must be integer/,
  ],
  'a word that is none': [{ target: '/log-level', body: '{"level":"loud"}' }, /allowed values/],
  'a time in another form': [
    { body: changed((it) => Object.assign(it, { at: '29 Nov 2026' })) },
    /at must match format/,
  ],
  'a text without an end': [{ target: '/healthz', headers: TEXT, body: 'ok' }, /no end/],
  'a broken body': [{ body: '{' }, /not JSON/],
  'an accepted parameter that is none': [
    { target: '/events?process=x', headers: STREAM, body: '' },
    /process=x/,
  ],
  'a refusal of what is allowed': [
    { target: '/connections?limit=5', status: 400, headers: TEXT, body: 'no\n' },
    /the document allows it/,
  ],
  'a refusal for a reason that no schema has': [
    { target: '/connections?address=x', status: 400, headers: TEXT, body: 'address is not an IP address\n' },
  ],
  'a page that is none': [{ target: '/nothing', status: 404, headers: TEXT, body: 'x\n' }],
  'a page that should be none': [{ target: '/nothing' }, /expected 404/],
  'a method that is none': [{ method: 'PUT', status: 405, headers: { ...TEXT, allow: 'GET' }, body: 'x\n' }],
  'a refused method without Allow': [{ method: 'PUT', status: 405, headers: TEXT, body: 'x\n' }, /Allow/],
  'a wrong token without the challenge': [{ status: 401, headers: TEXT, body: 'x\n' }, /WWW-Authenticate/],
  'an event': [events('retry: 2000\n\nevent: end\ndata: {"reason":"login"}\n\n: still here\n\nevent: fig')],
  'an event that is none': [events('event: news\ndata: {}\n\n'), /no event news/],
  'an event with other data': [events('event: end\ndata: {"reason":"tired"}\n\n'), /allowed values/],
  'a line of a tap': [
    {
      target: '/tap?refused',
      headers: { ...STREAM, 'content-type': 'application/x-ndjson; charset=utf-8' },
      body: '{"event":"passed_over","lines":0}\n{"event":"fate"',
    },
  ],
  'a body that is none': [
    { method: 'POST', target: '/kick', requestBody: '{"device":"x"}', body: '{"kicked":1,"missing":[]}' },
    /additional/,
  ],
};

for (const [name, [change, fault]] of Object.entries(CASES)) {
  test(`the judge on ${name}`, () => {
    const faults = judge.faults({ ...EXCHANGE, ...change });
    if (fault === undefined) assert.deepEqual(faults, []);
    else assert.ok(faults.length === 1 && fault.test(faults[0] ?? ''), `${faults}`);
  });
}
