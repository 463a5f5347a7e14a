// The documents themselves: valid by the official schemas, whole, and in agreement with the examples of docs/protocol.md.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { it } from 'node:test';
import { Ajv } from 'ajv';
import { asyncapi } from '../../scripts/contracts/asyncapi.ts';
import { contractFiles, schemaFiles } from '../../scripts/contracts/files.ts';
import type { MessageRules } from '../../scripts/contracts/messages.ts';
import { located } from '../../scripts/contracts/schema.ts';
import { contract, faultOf, validator } from './validators.ts';

/** Settings that change as much as they can. */
const OTHER_RULES: MessageRules = {
  identify: ['tags.fw'],
  required: [{ name: 'at', type: 'time' }],
  isTraced: true,
  isCertified: true,
  isWrapped: true,
};
const ROOT = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

it('each file of docs/contracts is generated, and each is there', () => {
  const there = readdirSync(new URL('docs/contracts/', ROOT)).filter((name) => name !== 'openapi.json');
  const generated = contractFiles();
  assert.deepEqual(there.map((name) => `docs/contracts/${name}`).sort(), Object.keys(generated).sort());
  for (const [path, text] of Object.entries(generated))
    assert.ok(read(path) === text, `${path} is not as generated: npm run docs`);
});

it('each schema is valid for the metaschema of JSON Schema 2020-12, and uses no keyword that does nothing', () => {
  for (const [name, other] of Object.entries(schemaFiles(OTHER_RULES)))
    for (const schema of [contract(`${name}.schema.json`), other]) {
      const ajv = validator();
      assert.equal(ajv.validateSchema(schema), true, `${name}: ${ajv.errorsText()}`);
      ajv.compile(schema);
    }
});

/** The patterns of a schema, and those that stand for names. */
function patternsIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) => [
    ...(key === 'pattern' && typeof one === 'string' ? [one] : []),
    ...(key === 'patternProperties' ? Object.keys(one as object) : []),
    ...patternsIn(one),
  ]);
}

it('each pattern is one for the regular expressions of all usual languages', () => {
  const documents = [
    ...Object.values(schemaFiles(OTHER_RULES)),
    contract('asyncapi.json'),
    contract('openapi.json'),
  ];
  const patterns = documents.flatMap(patternsIn);
  assert.ok(patterns.length > 60);
  for (const pattern of patterns)
    assert.doesNotMatch(pattern, /\\[a-wyzA-Z](?<!\\[ntr])|\(\?[^:]|\p{Surrogate}/u, pattern);
});

it('the AsyncAPI document is valid for the official schema', () => {
  const require = createRequire(import.meta.url);
  const official = require('@asyncapi/specs/schemas/3.0.0.json') as object;
  const ajv = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false });
  const isValid = ajv.compile(official);
  const document = contract('asyncapi.json');
  for (const one of [document, asyncapi(OTHER_RULES)])
    assert.ok(isValid(one), ajv.errorsText(isValid.errors?.slice(0, 5)));
  assert.ok(
    !isValid({ ...document, channels: { a: { adress: 'x' } } }),
    'the official schema judges nothing',
  );
});

type Node = Readonly<Record<string, unknown>>;

function refsIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) =>
    key === '$ref' && typeof one === 'string' ? [one] : refsIn(one),
  );
}

function at(document: Node, pointer: string): unknown {
  return pointer
    .slice('#/'.length)
    .split('/')
    .reduce<unknown>((node, name) => (node as Node | undefined)?.[name], document);
}

it('each reference leads somewhere, each message is used, and operations name messages of their channel', () => {
  judgeReferences(contract('asyncapi.json'));
  judgeReferences(asyncapi(OTHER_RULES));
});

function judgeReferences(document: Node): void {
  const refs = refsIn(document);
  assert.ok(refs.length > 80);
  for (const ref of refs) assert.ok(at(document, ref) !== undefined, ref);
  const { messages, schemas } = document.components as Record<string, Node>;
  const inUse = new Set(refs);
  for (const name of Object.keys(messages ?? {})) assert.ok(inUse.has(`#/components/messages/${name}`), name);
  for (const name of Object.keys(schemas ?? {})) assert.ok(inUse.has(`#/components/schemas/${name}`), name);
  for (const [name, operation] of Object.entries(document.operations as Node)) {
    const {
      channel,
      messages: own,
      reply,
    } = operation as Record<string, { $ref: string }> & { messages: unknown; reply?: Node };
    const prefix = `${channel?.$ref}/messages/`;
    for (const ref of refsIn([own, reply?.messages])) assert.ok(ref.startsWith(prefix), `${name}: ${ref}`);
  }
}

it('the AsyncAPI document has the schemas of the other files', () => {
  const { schemas = {} } = contract('asyncapi.json').components as Record<string, Node>;
  const message = contract('device-message.schema.json').$defs as Node;
  const reading = contract('reading-record.schema.json');
  const moved = (schema: unknown) =>
    JSON.parse(JSON.stringify(schema).replaceAll('#/$defs/', '#/components/schemas/')) as unknown;
  for (const [name, schema] of Object.entries(message)) assert.deepEqual(schemas[name], moved(schema), name);
  const { $schema: _, $id: __, $defs: ___, ...own } = reading;
  assert.deepEqual(schemas.readingRecord, moved(own));
  assert.deepEqual(located({ $ref: 'value' }, '#/x/'), { $ref: '#/x/value' });
});

it('each example in a schema is valid for it', () => {
  for (const definition of Object.values(
    contract('device-message.schema.json').$defs as Record<string, Node>,
  ))
    if ((definition.properties as Node | undefined)?.type !== undefined)
      for (const example of definition.examples as unknown[])
        assert.equal(faultOf('device-message', example), undefined);
  for (const example of contract('reading-record.schema.json').examples as unknown[])
    assert.equal(faultOf('reading-record', example), undefined);
});

it('the examples in docs/protocol.md are valid', () => {
  const counts = { message: 0, reply: 0, record: 0 };
  for (const [, text = ''] of read('docs/protocol.md').matchAll(/(?<=^|[ ])(\{"[^\n]*\})(?=\s|$)/gm)) {
    let value: { type?: string; connection_id?: string; data?: unknown; event?: string };
    try {
      // Only shown: an id that is left out.
      value = JSON.parse(
        text.replace(
          '"connection_id":"..."',
          `"connection_id":"${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}"`,
        ),
      ) as typeof value;
    } catch {
      continue;
    }
    if (value.type === 'ack') {
      counts.reply++;
      assert.equal(faultOf('reply', value), undefined, text);
    } else if (value.type !== undefined) {
      counts.message++;
      assert.equal(
        faultOf('device-message', value, { ...OTHER_RULES, identify: [], required: [] }),
        undefined,
        text,
      );
    } else if (value.event !== undefined) {
      counts.record++;
      assert.equal(faultOf('presence-record', value), undefined, text);
    } else if (value.data !== undefined && value.connection_id !== undefined) {
      counts.record++;
      assert.equal(faultOf('reading-record', value), undefined, text);
    }
  }
  assert.ok(counts.message > 10 && counts.reply > 6 && counts.record === 2, JSON.stringify(counts));
});
