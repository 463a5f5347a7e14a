// No token stays in a refused line, however broken the line is.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hideOwnTokens, hideTokens } from '../../src/protocol/hidden-tokens.ts';

const hidden = (line: string) => Buffer.from(hideTokens(Buffer.from(line))).toString();
const OWN = 'sluice_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-_';

describe('a refused line', () => {
  for (const [line, shown] of [
    [
      '{"type":"identify","token":"secret","zipcode":"?"}',
      '{"type":"identify","token":"[token hidden]","zipcode":"?"}',
    ],
    ['{"token" :\t"secret" , "token":"secret"}', '{"token" :\t"[token hidden]" , "token":"[token hidden]"}'],
    ['{"\\u0074oken":"secret","a":1}', '{"\\u0074oken":"[token hidden]","a":1}'],
    ['{"t\\u006F\\u006ben":"secret","a":1}', '{"t\\u006F\\u006ben":"[token hidden]","a":1}'],
    ['{"TOKEN":"se\\"cret","a":1}', '{"TOKEN":"[token hidden]","a":1}'],
    ['{"auth_tokens":["secret",{"x":"secret"}],"a":1}', '{"auth_tokens":[token hidden],"a":1}'],
    ['{"auth":{"token":{"value":"secret"}},"a":1}', '{"auth":{"token":[token hidden]},"a":1}'],
    ['{"token":12345}', '{"token":[token hidden]}'],
    [`{"zipcode":"${OWN}","a":1}`, '{"zipcode":"[token hidden]","a":1}'],
    [`Bearer ${OWN} x`, 'Bearer [token hidden] x'],
  ] as const) {
    it(`keeps all but the value: ${line}`, () => assert.equal(hidden(line), shown));
  }

  for (const line of [
    '{"type":"identify","token":"secret',
    '{"type":"identify","token":"secret"',
    '{"type":"identify","token":"sec"secret"}',
    '{"type":"identify","token" "secret"}',
    '{"type":"identify","token":,"secret"}',
    '{"type":"identify","token:"secret"}',
    '{"type":"identify","token":secret}',
    "{'token':'secret','city':\"x\"}",
    '{token: secret}',
    'token=secret',
    '{"token":["secret"}',
    '{"type":"metrics","data":"token=secret"}',
    '{"token":1secret}',
    '{"token":null secret}',
  ]) {
    it(`loses its rest if it is broken: ${line}`, () => {
      assert.doesNotMatch(hidden(line), /secret/);
      assert.match(hidden(line), /oken.*\[token hidden\]"?$/);
    });
  }

  for (const [encoding, bytes] of [
    ['UTF-16LE', (text: string) => Buffer.from(text, 'utf16le')],
    ['UTF-16BE', (text: string) => Buffer.from(text, 'utf16le').swap16()],
  ] as const) {
    it(`hides tokens in ${encoding} too, which is refused and can be read all the same`, () => {
      for (const line of ['{"type":"identify","token":"secret"}', `{"zipcode":"x","auth":"${OWN}"}`]) {
        const shown = Buffer.from(hideTokens(bytes(line)))
          .toString('latin1')
          .replaceAll('\0', '');
        assert.doesNotMatch(shown, /secret|AAAAAAAA/);
        assert.match(shown, /^\{"(?:type|zipcode)".*\[token hidden\]/);
      }
    });
  }

  it('with more tokens than a line ever has loses its rest, and hardly gets longer', () => {
    const line = `{${'"token":1,'.repeat(6_000)}"a":"secret"}`;
    const shown = hidden(line);
    assert.ok(shown.length < 1_000 && shown.startsWith('{"token":[token hidden],"token":'));
    assert.doesNotMatch(shown, /secret/);
    for (const repeated of ['"token":1,', '"token":"",', `${OWN} `])
      assert.ok(hidden(repeated.repeat(50)).length < repeated.length * 50 + 16 * 16);
  });

  it('is the same object if it has no token, whatever its bytes are', () => {
    for (const line of ['', '{"type":"identify","zipcode":"?"}', 'x'.repeat(65_536), 'sluice_short']) {
      const bytes = Buffer.from(line);
      assert.equal(hideTokens(bytes), bytes);
    }
    const wild = Buffer.from([0xff, 0xfe, 0x00, 0x22, 0x5c]);
    assert.equal(hideTokens(wild), wild);
  });

  it('keeps its other bytes, also those that are not UTF-8', () => {
    const line = Buffer.concat([
      Buffer.from([0xff, 0xe9]),
      Buffer.from('{"é":1,"token":"x"}'),
      Buffer.from([0x80]),
    ]);
    const shown = Buffer.from(hideTokens(line));
    assert.deepEqual([...shown.subarray(0, 2), shown.at(-1)], [0xff, 0xe9, 0x80]);
    assert.ok(shown.includes('{"é":1,"token":"[token hidden]"}'));
  });

  it('shows no token in any valid JSON with any escapes', () => {
    const escaped = (word: string) =>
      fc
        .array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: word.length, maxLength: word.length })
        .map((choices) =>
          [...word]
            .map((letter, index) => {
              const [isEscaped, isUpper] = choices[index] ?? [];
              const one = isUpper ? letter.toUpperCase() : letter;
              return isEscaped ? `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}` : one;
            })
            .join(''),
        );
    const value = fc.oneof(
      fc.constant('"SECRET"'),
      fc.json().map((json) => `["SECRET",${json}]`),
      fc.json().map((json) => `{"a":${json},"b":"SECRET"}`),
    );
    const space = fc.constantFrom('', ' ', '\t ');
    const member = fc.tuple(fc.constantFrom('', 'my '), escaped('token'), space, space, value);
    const before = fc
      .dictionary(fc.string(), fc.jsonValue())
      .map((object) => JSON.stringify(object).slice(1, -1));
    fc.assert(
      fc.property(before, fc.array(member, { minLength: 1, maxLength: 3 }), (text, members) => {
        const parts = members.map(([prefix, key, one, two, json]) => `"${prefix}${key}"${one}:${two}${json}`);
        const line = `{${[...(text === '' ? [] : [text]), ...parts].join(',')}}`;
        JSON.parse(line);
        assert.doesNotMatch(hidden(line), /SECRET/);
      }),
    );
  });

  it('of the greatest length that TCP_MAX_LINE_BYTES allows exhausts no stack', () => {
    for (const start of ['{"token', '{"token":"', 'sluice_'])
      for (const filler of ['a', '\\"', '\0']) hidden(start + filler.repeat(2 ** 20 / filler.length));
  });

  it('costs time in proportion to its length', () => {
    const parts = [
      'token',
      '"token',
      '"token":',
      '"token":[',
      '{"token":{"a',
      '"token":"x",',
      't\0o\0',
      'sluice_\0',
    ];
    const lines = parts.map((part) => Buffer.from(part.repeat(65_536 / part.length)));
    // CPU time, because other tests run beside this one.
    const start = process.cpuUsage();
    for (const line of lines) hideTokens(line);
    assert.ok(process.cpuUsage(start).user < 500_000);
  });
});

it('a text for people shows no token that we made', () => {
  assert.equal(hideOwnTokens(`no token is named '${OWN}'`), "no token is named '[token hidden]'");
});
