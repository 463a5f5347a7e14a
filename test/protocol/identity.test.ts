// The facts of identify about a device: the fields that the rules require, tags with their limits, and traceparent.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LineRules, USUAL_RULES } from '../../src/protocol/line-rules.ts';
import { type Decoded, decodeLine } from '../../src/protocol/messages.ts';
import { deviceKey } from '../../src/protocol/record-key.ts';
import { TAG_LIMITS } from '../../src/protocol/tags.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function decode(line: string, rules: Partial<LineRules> = {}): Decoded {
  const bytes = Buffer.from(`${line}\n`);
  return decodeLine(bytes, 0, bytes.length - 1, { ...USUAL_RULES, ...rules });
}

const identify = (fields: string, ...required: string[]) =>
  decode(`{"type":"identify"${fields === '' ? '' : ','}${fields}}`, { identify: required });

function problem(decoded: Decoded): string {
  if (decoded.type !== 'refused') assert.fail(`taken: ${JSON.stringify(decoded)}`);
  assert.equal(decoded.code, 'invalid_message');
  assert.ok(decoded.message.length < 300);
  return decoded.message;
}

/** The canonical text of tags that are taken. */
function tagsText(tags: string): string | undefined {
  const decoded = identify(`"tags":${tags}`);
  if (decoded.type !== 'identify') assert.fail(problem(decoded));
  return decoded.tags?.text;
}

const tagsProblem = (tags: string) => problem(identify(`"tags":${tags}`));

const object = (count: number, value: string) =>
  `{${Array.from({ length: count }, (_, index) => `"t${index}":${value}`).join()}}`;

describe('what identify has to have', () => {
  it('is zipcode and city without a setting', () => {
    assert.match(problem(decode('{"type":"identify","city":"x"}')), /^field 'zipcode': /);
    assert.match(problem(decode('{"type":"identify","zipcode":"1"}')), /^field 'city': /);
  });

  it('is nothing if the setting is empty', () => {
    assert.deepEqual(identify(''), { type: 'identify' });
  });

  it('may be any of the fields, and the refusal names the one that is missing', () => {
    assert.match(problem(identify('"city":"x"', 'city', 'zipcode')), /^field 'zipcode': /);
    assert.equal(problem(identify('"zipcode":"1"', 'zipcode', 'tags.fleet')), "field 'tags.fleet': missing");
    assert.equal(identify('"tags":{"fleet":"a"}', 'tags.fleet').type, 'identify');
    // Whether a device_id is missing is known only with the certificate of the connection.
    assert.equal(identify('', 'device_id').type, 'identify');
  });

  it('is not satisfied by a tag that is null or empty', () => {
    for (const value of ['null', '""'])
      assert.equal(
        problem(identify(`"tags":{"fleet":${value}}`, 'tags.fleet')),
        "field 'tags.fleet': missing",
      );
  });

  it('is checked in its form also if it is optional', () => {
    assert.match(problem(identify('"zipcode":null')), /^field 'zipcode': /);
    assert.match(problem(identify('"city":""')), /^field 'city': /);
    assert.match(problem(identify('"device_id":"a b"')), /^field 'device_id': /);
  });
});

describe('tags', () => {
  it('keep their order, their numbers digit for digit, and have one spelling of each text', () => {
    const sent =
      '{ "model" : "T\\u0031\\/2\\n" ,"fw":3.10,"big":12345678901234567890e+5,"on":true, "off":null,"\\u00fc":"\\u2028"}';
    const carried =
      '{"model":"T1/2\\n","fw":3.10,"big":12345678901234567890e+5,"on":true,"off":null,"ü":"\u2028"}';
    assert.equal(tagsText(sent), carried);
    assert.deepEqual(JSON.parse(carried), JSON.parse(sent));
  });

  it('are left out if there are none', () => {
    assert.equal(tagsText('{}'), undefined);
    assert.equal(tagsText(' { } '), undefined);
  });

  it('are an object', () => {
    for (const tags of ['null', '[]', '"a"', '7', 'true']) assert.match(tagsProblem(tags), /^field 'tags': /);
  });

  it('are up to 16', () => {
    assert.equal(tagsText(object(TAG_LIMITS.tags, '1')), object(TAG_LIMITS.tags, '1'));
    assert.match(tagsProblem(object(TAG_LIMITS.tags + 1, '1')), /^field 'tags': an object of up to 16 names/);
  });

  it('have names of 1 to 64 characters without control characters, none twice', () => {
    for (const name of ['a', 'a'.repeat(64), '🌧'.repeat(64), 'a b.c"'.replace('"', '\\"'), '__proto__'])
      assert.equal(tagsText(`{"${name}":1}`), `{"${name}":1}`);
    for (const name of ['', 'a'.repeat(65), '🌧'.repeat(65), 'a\\n', '\u0085', '\\ud800'])
      assert.match(tagsProblem(`{"${name}":1}`), /of 'tags': names have/);
    assert.equal(tagsProblem('{"a":1,"\\u0061":2}'), "field 'a' of 'tags' appears twice");
  });

  it('have scalar values: strings up to 256 characters, numbers up to 64', () => {
    const good = [
      `"${'🌧'.repeat(256)}"`,
      '""',
      '9'.repeat(64),
      `-0.${'1'.repeat(61)}`,
      'true',
      'false',
      'null',
    ];
    for (const value of good) assert.equal(tagsText(`{"a":${value}}`), `{"a":${value}}`);
    const bad = [`"${'x'.repeat(257)}"`, `"${'🌧'.repeat(257)}"`, '9'.repeat(65), '{}', '[1]', '"\\ud800"'];
    for (const value of bad)
      assert.match(tagsProblem(`{"a":${value}}`), /^field 'a' of 'tags': a string of up to 256/);
  });

  it('have at most 2048 bytes as the record carries them', () => {
    const texts = (last: number) =>
      `{${[...Array.from({ length: 7 }, (_, index) => [index, 256] as const), [7, last] as const]
        .map(([name, length]) => `"${name}":"${'x'.repeat(length)}"`)
        .join()}}`;
    const fits = 2048 - Buffer.byteLength(texts(0));
    assert.equal(tagsText(texts(fits))?.length, TAG_LIMITS.bytes);
    assert.match(tagsProblem(texts(fits + 1)), /^field 'tags': .* at most 2048 bytes/);
    // The escapes of the line do not count.
    assert.equal(tagsText(texts(fits).replaceAll('x', '\\u0078'))?.length, TAG_LIMITS.bytes);
  });

  it('are no part of other messages', () => {
    assert.equal(decode('{"type":"keepalive","tags":[[1]]}').type, 'keepalive');
    assert.equal(decode('{"type":"metrics","tags":7,"data":{"a":1}}').type, 'metrics');
  });
});

describe('the key of a record', () => {
  const keyFor = (key: string, fields: string) => {
    const message = identify(fields);
    if (message.type !== 'identify') assert.fail(problem(message));
    return deviceKey({ ...message, deviceId: message.device_id }, key)?.toString();
  };

  it('is the text of the field in UTF-8, a number its digits, a boolean its word', () => {
    assert.equal(keyFor('zipcode', '"zipcode":"K1A 0B1"'), 'K1A 0B1');
    assert.equal(keyFor('device_id', '"device_id":"truck-7"'), 'truck-7');
    assert.equal(keyFor('tags.fleet', '"tags":{"fleet":"Köln"}'), 'Köln');
    assert.equal(keyFor('tags.n', '"tags":{"n":1.10e2}'), '1.10e2');
    assert.equal(keyFor('tags.on', '"tags":{"on":false}'), 'false');
    assert.equal(keyFor('tags.a.b', '"tags":{"a.b":"x"}'), 'x');
  });

  it('is missing if the device did not say it, or null, or an empty text', () => {
    assert.equal(keyFor('zipcode', ''), undefined);
    assert.equal(keyFor('device_id', '"zipcode":"1"'), undefined);
    for (const tags of ['{}', '{"b":1}', '{"a":null}', '{"a":""}', '{"toString":null}'])
      assert.equal(keyFor('tags.a', `"tags":${tags}`), undefined);
  });
});

describe('traceparent', () => {
  const traced = (value: string, traceparent = true) =>
    decode(`{"type":"metrics","seq":3,"traceparent":${value},"data":{"a":1}}`, { traceparent });

  it('goes along with the message if the settings ask for it', () => {
    const taken = { type: 'metrics', seq: 3, readings: ['{"a":1}'] };
    assert.deepEqual(traced(`"${TRACE}"`), { ...taken, traceparent: TRACE });
    assert.deepEqual(traced(`"${TRACE}"`, false), taken);
    assert.deepEqual(traced('7', false), taken, 'else it is a field that is not known');
    assert.deepEqual(decode('{"type":"metrics","seq":3,"data":{"a":1}}', { traceparent: true }), taken);
  });

  it('has the form of W3C Trace Context', () => {
    const bad = [
      TRACE.toUpperCase(),
      TRACE.replace('00-', 'ff-'),
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
      TRACE.slice(1),
      `${TRACE}0`,
      `${TRACE}\\n`,
      '',
    ];
    for (const text of bad) assert.match(problem(traced(`"${text}"`)), /^field 'traceparent': /);
    for (const value of ['null', '7', '{}']) assert.match(problem(traced(value)), /^field 'traceparent': /);
    assert.equal(traced(`"${TRACE.replace('00-', 'cc-')}"`).type, 'metrics', 'a later version');
  });
});
