import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODE_NAMES, CODES, isFatal } from '../../src/protocol/codes.ts';
import { type Decoded, decodeLine } from '../../src/protocol/messages.ts';

const BACKSLASH = String.fromCharCode(0x5c);

function decode(line: string | Uint8Array): Decoded {
  const bytes = typeof line === 'string' ? Buffer.from(line) : line;
  // Lines lie inside larger buffers, and the bytes around them must not matter.
  const around = Buffer.concat([Buffer.from('{"'), bytes, Buffer.from('"}\n')]);
  return decodeLine(around, 2, 2 + bytes.length);
}

function readings(line: string): readonly string[] {
  const message = decode(line);
  if (message.type !== 'metrics') assert.fail(`${line} was not taken: ${JSON.stringify(message)}`);
  return message.readings;
}

function refused(line: string | Uint8Array): { code: string; message: string; seq: number | undefined } {
  const { type, ...refusal } = decode(line) as Extract<Decoded, { type: 'refused' }>;
  assert.equal(type, 'refused', `${line} should have been refused`);
  assert.ok(refusal.message.length < 300, 'a reply stays short');
  assert.ok(refusal.message.isWellFormed());
  return refusal;
}

const data = (text: string) => `{"type":"metrics","data":${text}}`;
const fields = (count: number, text = '1') =>
  `{${Array.from({ length: count }, (_, index) => `"f${index}":${text}`).join(',')}}`;
const pairs = (count: number) => Array.from({ length: count }, (_, index) => `f${index}=1`).join(',');

describe('identify', () => {
  const identify = (more: object) =>
    JSON.stringify({ type: 'identify', zipcode: '90210', city: 'Beverly Hills', ...more });

  it('is taken with and without its optional fields', () => {
    assert.deepEqual(decode(identify({})), { type: 'identify', zipcode: '90210', city: 'Beverly Hills' });
    const more = { device_id: 'a-Z.0_9:', token: 't' };
    const all = { type: 'identify', zipcode: '90210', city: 'Beverly Hills', ...more };
    assert.deepEqual(decode(identify(more)), all);
  });

  it('ignores fields it does not know', () => {
    assert.equal(decode(identify({ firmware: { version: [1, 2] } })).type, 'identify');
    assert.equal(decode(identify({ seq: 'x', data: null })).type, 'identify');
  });

  const ok: Record<string, unknown[]> = {
    zipcode: [
      '1',
      'A-z0123456789012',
      'K1A 0B1',
      'SW1A 1AA',
      'a_b',
      'x'.repeat(64),
      '🌧'.repeat(64),
      'Zü "1" \\',
    ],
    city: ['x', 'x'.repeat(256), '🌧'.repeat(256), 'Zürich "Ost" \\ 東京'],
    device_id: ['x'.repeat(64)],
    token: ['', 'x'.repeat(1024), '🌧'.repeat(1024)],
  };
  const badTexts = ['a\nb', 'a\u001b[31mb', 'a\u007fb', 'a\u0085b', 'a\ud800'];
  const bad: Record<string, unknown[]> = {
    zipcode: ['', 'x'.repeat(65), '🌧'.repeat(65), '90210\n', ...badTexts, 90210, null, undefined],
    city: ['', 'x'.repeat(257), '🌧'.repeat(257), 'a\ud800', ['x'], undefined],
    device_id: ['', 'x'.repeat(65), 'a b', 'a\r', null],
    token: ['x'.repeat(1025), '🌧'.repeat(1025), 7, null],
  };
  const each = (cases: Record<string, unknown[]>) =>
    Object.entries(cases).flatMap(([field, values]) => values.map((value) => [field, value] as const));
  for (const [field, value] of each(ok)) {
    it(`takes ${field} ${JSON.stringify(value).slice(0, 30)} (${String(value).length})`, () => {
      const message: object = decode(identify({ [field]: value }));
      assert.equal(new Map(Object.entries(message)).get(field), value);
    });
  }
  it('has a space in place of each control character of its city', () => {
    const city = 'a\tb\r\nc\u0000\u001f\u007f\u0080\u009f\u00a0';
    assert.equal((decode(identify({ city })) as { city?: string }).city, 'a b  c     \u00a0');
  });
  for (const [field, value] of each(bad)) {
    it(`refuses ${field} ${JSON.stringify(value)?.slice(0, 30)} (${String(value).length}), naming it`, () => {
      const { code, message } = refused(identify({ [field]: value }));
      assert.equal(code, 'invalid_message');
      assert.match(message, new RegExp(`'${field}'`));
    });
  }
});

it('a keepalive and a question for the time are taken', () => {
  assert.deepEqual(decode('{"type":"keepalive"}'), { type: 'keepalive' });
  assert.deepEqual(decode('{"type":"time"}'), { type: 'time' });
});

describe('type', () => {
  for (const type of ['"Metrics"', '"__proto__"', '"constructor"', 'null', '5', '["metrics"]', '{}']) {
    it(`${type} is refused, naming the field`, () => {
      const { code, message } = refused(`{"type":${type},"data":{"a":1}}`);
      assert.equal(code, 'invalid_message');
      assert.match(message, /'type'/);
    });
  }
  it('is required', () => {
    assert.match(refused('{"data":{"a":1}}').message, /'type'/);
    assert.match(refused('{}').message, /'type'/);
    assert.match(refused('{"__proto__":{"type":"keepalive"}}').message, /'type'/);
  });
});

describe('text that is no JSON object', () => {
  const deep = 30_000;
  const cases: Record<string, string> = {
    nothing: '',
    'white space': '  ',
    'no JSON': 'temperature=25.5',
    'half an object': '{"type":"keepalive"',
    'two objects': '{"type":"keepalive"}{"type":"keepalive"}',
    'a trailing comma': '{"type":"keepalive",}',
    'single quotes': "{'type':'keepalive'}",
    'a comment': '{"type":"keepalive"}//',
    null: 'null',
    'a number': '5',
    'a string': '"keepalive"',
    'an empty array': '[]',
    'an array of messages': '[{"type":"keepalive"}]',
    'a BOM': '\ufeff{"type":"keepalive"}',
    NaN: data('{"a":NaN}'),
    'a raw control character': data('{"a":"\u0001"}'),
    'a NUL': '\0',
    'depth without an end': '['.repeat(deep),
    'an array nested deep': `${'['.repeat(deep)}${']'.repeat(deep)}`,
  };
  for (const [name, line] of Object.entries(cases)) {
    it(`${name} is invalid_json`, () => {
      assert.equal(refused(line).code, 'invalid_json');
    });
  }
});

it('a line whose first byte is no brace is judged by that byte alone', () => {
  assert.equal(refused(Buffer.from([0xff, 0x7b, 0x7d])).code, 'invalid_json');
  assert.equal(refused(Buffer.from([0x20, 0x09, 0x0d, 0xff])).code, 'invalid_json');
  assert.equal(decode(' \t\r{"type":"keepalive"} \t\r').type, 'keepalive');
});

describe('unknown fields', () => {
  const keepalive = (more: string) => decode(`{${more},"type":"keepalive"}`);

  it('may hold any JSON, objects and arrays too', () => {
    for (const value of ['[{"a":1,"a":2}]', `"${BACKSLASH}ud800"`, '{"type":"metrics"}', '1e400', '{"":{}}'])
      assert.equal(keepalive(`"x":${value}`).type, 'keepalive');
    assert.equal(keepalive(`"${BACKSLASH}ud800":1`).type, 'keepalive');
    assert.equal(keepalive('"":1').type, 'keepalive');
  });

  for (const value of ['01', '[1,]', '{"a"}', 'tru', `"${BACKSLASH}x"`, '"\u0001"', '[}', ''])
    it(`holding ${JSON.stringify(value)} make the line invalid_json`, () => {
      assert.equal(refused(`{"x":${value},"type":"keepalive"}`).code, 'invalid_json');
    });

  it('may be any number, as long as no two have one name', () => {
    const many = Array.from({ length: 9_000 }, (_, index) => `"${index}":1`).join(',');
    assert.equal(keepalive(many).type, 'keepalive');
    assert.match(refused(`{${many},"8999":1,"type":"keepalive","seq":5}`).message, /'8999' appears twice/);
    assert.equal(refused(`{${many},"8999":1,"type":"keepalive","seq":5}`).seq, 5);
    assert.equal(refused(`{${many},"8999":1,"type":"keepalive"`).code, 'invalid_json');
  });
});

describe('a field that is ignored', () => {
  const unknown = (line: string) => decode(line).unknown;
  const cases: [line: string, field: string | undefined][] = [
    ['{"type":"identify","zipcode":"1","city":"x","device_id":"a","token":"t"}', undefined],
    ['{"type":"metrics","seq":1,"data":{"a":{"b":1}}}', undefined],
    ['{"type":"keepalive"}', undefined],
    ['{"type":"time"}', undefined],
    ['{"type":"identify","zipcode":"1","city":"x","x":1,"y":1}', 'x'],
    ['{"zipcod":"1","type":"identify","city":"x"}', 'zipcod'],
    ['{"type":"metrics","data":{"a":1},"ts":5}', 'ts'],
    ['{"type":"metrics","data":{"a":1},"zipcode":"1"}', 'zipcode'],
    ['{"type":"keepalive","seq":5}', 'seq'],
    ['{"type":"time","data":null}', 'data'],
    [`{"type":"time","${BACKSLASH}u0078${BACKSLASH}n":1}`, 'x\n'],
    ['{"type":"metrics","ts":5,"data":5}', 'ts'],
    ['{"type":"other","ts":5}', undefined],
    ['{"type":"time","ts":5,"ts":5}', undefined],
    ['{"type":"time","ts":5', undefined],
  ];
  for (const [line, field] of cases) {
    it(`of ${line} is ${field}`, () => {
      assert.equal(unknown(line), field);
    });
  }
});

it('keys and the type are compared with their escapes resolved', () => {
  const spelt = (text: string) =>
    [...text].map((character) => `${BACKSLASH}u00${character.charCodeAt(0).toString(16)}`).join('');
  const line = `{"${spelt('type')}":"${spelt('metrics')}","${spelt('seq')}":1,"${spelt('data')}":{"a":1}}`;
  assert.deepEqual(decode(line), { type: 'metrics', seq: 1, readings: ['{"a":1}'] });
  assert.equal(decode(`{"type":"${BACKSLASH}/keepalive"}`).type, 'refused');
});

describe('bytes that are not UTF-8', () => {
  const cases: Record<string, number[]> = {
    'a lone continuation byte': [0x80],
    'a character cut off': [0xe2, 0x82],
    'an overlong slash': [0xc0, 0xaf],
    'an encoded surrogate': [0xed, 0xa0, 0x80],
    'beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
    'a byte that never occurs': [0xff],
  };
  for (const [name, bytes] of Object.entries(cases)) {
    it(`${name} is invalid_utf8`, () => {
      const line = [Buffer.from('{"type":"metrics","data":{"a":"'), Buffer.from(bytes), Buffer.from('"}}')];
      assert.equal(refused(Buffer.concat(line)).code, 'invalid_utf8');
    });
  }
});

describe('a reading', () => {
  it('keeps its scalars as they were written, without the white space', () => {
    const text = ' { "t" : 21.50 , "n":null,"y" :true, "x": false , "s": "a b" } ';
    assert.deepEqual(readings(data(text)), ['{"t":21.50,"n":null,"y":true,"x":false,"s":"a b"}']);
  });

  const numbers =
    '0 -0 -0.0 1.0 1e400 -1E+400 1e-400 12345678901234567890 0.1000000000000000055511151231257827';
  for (const number of [...numbers.split(' '), '9'.repeat(1024)]) {
    it(`keeps ${number.slice(0, 40)} digit for digit`, () => {
      assert.deepEqual(readings(data(`{"a":${number}}`)), [`{"a":${number}}`]);
    });
  }

  it('refuses a number of more than 1024 digits', () => {
    assert.match(refused(data(`{"a":${'9'.repeat(1025)}}`)).message, /field 'a'/);
  });

  it('escapes strings again: needless escapes are resolved, the others stay', () => {
    const escapes = ['u0061', 'u0022', '"', BACKSLASH, '/', 'n', 'u001b', 'u00fc'];
    const escaped = escapes.map((text) => BACKSLASH + text).join('');
    const [reading] = readings(data(`{"a":"${escaped}"}`));
    assert.equal(reading, `{"a":${JSON.stringify('a""\\/\n\u001bü')}}`);
  });

  it('resolves escapes in names before it checks them', () => {
    const spelt = (hex: string) => `${BACKSLASH}u00${hex}`;
    assert.deepEqual(readings(data(`{"${spelt('61')}b":1}`)), ['{"ab":1}']);
    assert.match(refused(data(`{"a":1,"${spelt('61')}":2}`)).message, /'a' of 'data' appears twice/);
    assert.equal(refused(data(`{"${spelt('0a')}":1}`)).code, 'invalid_message');
  });

  it('cannot break out of its record: quotes and braces in names and values stay text', () => {
    const name = '"},"zipcode":"x","x":{"';
    const value = '"}},{"data":{"a';
    const [reading] = readings(data(JSON.stringify({ [name]: value })));
    assert.deepEqual(JSON.parse(reading ?? ''), { [name]: value });
  });

  it('may have __proto__ and the like as names', () => {
    const text = '{"__proto__":1,"constructor":2,"toString":"x"}';
    assert.deepEqual(readings(data(text)), [text]);
    assert.equal(({} as Record<string, unknown>).a, undefined);
    assert.deepEqual(readings(data('{"__proto__":{"a":1}}')), ['{"__proto__":{"a":1}}']);
    assert.equal(({} as Record<string, unknown>).a, undefined);
  });

  for (const text of `null 5 true {} [] [[]] [[{"a":1}]] [5] [null] [{}]`.split(' ')) {
    it(`${text} as data is refused, naming the field`, () => {
      const { code, message } = refused(data(text));
      assert.equal(code, 'invalid_message');
      assert.match(message, /'data'/);
    });
  }

  it('nested as deep as a line allows is only refused', () => {
    const depth = 16_000;
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const text = `${open.repeat(depth)}1${close.repeat(depth)}`;
      assert.equal(refused(data(text)).code, 'invalid_message');
      assert.equal(refused(data(`{"x":${text}}`)).code, 'invalid_message');
      assert.equal(refused(`{"type":"keepalive","type":${text}}`).code, 'invalid_message');
      assert.equal(decode(`{"more":${text},"type":"keepalive"}`).type, 'keepalive');
    }
  });

  it('is required', () => {
    assert.match(refused('{"type":"metrics"}').message, /'data'/);
  });

  it('has 1 to 1024 fields', () => {
    assert.equal(readings(data(fields(1024)))[0], fields(1024));
    assert.match(refused(data(fields(1025))).message, /1-1024 fields/);
    assert.equal(readings(data(`"${pairs(1024)}"`))[0], fields(1024));
    assert.match(refused(data(`"${pairs(1025)}"`)).message, /1-1024 fields/);
  });

  it('is refused if the last of many names is the first one, however it is spelt', () => {
    for (const count of [2, 40, 1023]) {
      const again = (name: string) => data(fields(count).replace(/}$/, `,"${name}":1}`));
      assert.match(refused(again('f0')).message, /field 'f0' of 'data' appears twice/);
      assert.match(
        refused(again(`${BACKSLASH}u0066${BACKSLASH}u0030`)).message,
        /'f0' of 'data' appears twice/,
      );
      assert.match(refused(data(`"${pairs(count)}, f0 =1"`)).message, /'f0' of 'data' appears twice/);
      assert.equal(readings(again('g')).length, 1);
    }
  });

  for (const character of ['x', 'ü', '🌧']) {
    it(`has strings as long as a line allows, of characters such as ${character}`, () => {
      for (const count of [1024, 1025, 65_000]) {
        const text = JSON.stringify({ a: character.repeat(count) });
        assert.deepEqual(readings(data(text)), [text]);
      }
    });

    it(`has names of 1 to 64 characters such as ${character}`, () => {
      const text = (count: number) => data(JSON.stringify({ [character.repeat(count)]: 1 }));
      assert.equal(readings(text(64)).length, 1);
      assert.equal(refused(text(65)).code, 'invalid_message');
      assert.equal(refused(text(0)).code, 'invalid_message');
    });
  }

  it('has no control characters in names, and may have them in strings', () => {
    for (const character of ['\u0000', '\n', '\u001b', '\u007f', '\u0085']) {
      assert.equal(refused(data(JSON.stringify({ [`a${character}`]: 1 }))).code, 'invalid_message');
      const [reading = ''] = readings(data(JSON.stringify({ a: character })));
      assert.deepEqual(JSON.parse(reading), { a: character });
    }
  });

  it('has no lone surrogates', () => {
    for (const half of ['ud800', 'udfff', 'ud83cx']) {
      const half16 = `${BACKSLASH}${half}`;
      for (const text of [`{"a":"${half16}"}`, `{"${half16}":1}`, `"a=${half16}"`, `"${half16}=1"`]) {
        assert.equal(refused(data(text)).code, 'invalid_message');
      }
    }
    assert.deepEqual(readings(data(`{"a":"${BACKSLASH}ud83c${BACKSLASH}udf27"}`)), ['{"a":"🌧"}']);
  });
});

describe('duplicate keys', () => {
  const spelt = `${BACKSLASH}u0064ata`;
  for (const line of [
    '{"type":"metrics","data":{"a":1},"data":{"a":2}}',
    `{"type":"metrics","data":{"a":1},"${spelt}":{"a":2}}`,
    '{"type":"metrics","type":"keepalive","data":{"a":1}}',
    '{"type":"keepalive","type":"metrics","data":{"a":1}}',
    '{"type":"metrics","seq":1,"seq":2,"data":{"a":1}}',
    '{"type":"metrics","x":1,"x":1,"data":{"a":1}}',
    '{"type":"metrics","data":{"a":1,"a":1}}',
    '{"type":"metrics","data":{"__proto__":1,"__proto__":2}}',
    '{"type":"metrics","data":[{"a":1},{"b":1,"b":1}]}',
    '{"type":"identify","zipcode":"1","city":"x","zipcode":"2"}',
  ]) {
    it(`refuses ${line}`, () => {
      const { code, message } = refused(line);
      assert.equal(code, 'invalid_message');
      assert.match(message, /twice/);
    });
  }
});

describe("'name=value' strings", () => {
  const taken: [string, string][] = [
    ['temperature=25.5,humidity=60.0', '{"temperature":25.5,"humidity":60.0}'],
    ['a=1', '{"a":1}'],
    [' a = 1 , b = x y ', '{"a":1,"b":"x y"}'],
    ['a=12345678901234567890', '{"a":12345678901234567890}'],
    ['a=-0.5e-7,b=1E+400', '{"a":-0.5e-7,"b":1E+400}'],
    [
      'a=01,b=+1,c=.5,d=1.,e=1e,f=0x1,g=-',
      '{"a":"01","b":"+1","c":".5","d":"1.","e":"1e","f":"0x1","g":"-"}',
    ],
    ['a=true,b=null,c=NaN,d=Infinity', '{"a":"true","b":"null","c":"NaN","d":"Infinity"}'],
    ['a=b=c,d==', '{"a":"b=c","d":"="}'],
    ['a=', '{"a":""}'],
    ['a="x"', '{"a":"\\"x\\""}'],
    ['a={"b":1}', '{"a":"{\\"b\\":1}"}'],
    ['__proto__=1', '{"__proto__":1}'],
    ['größe=ü', '{"größe":"ü"}'],
  ];
  for (const [text, reading] of taken) {
    it(`${text} becomes ${reading}`, () => {
      assert.deepEqual(readings(data(JSON.stringify(text))), [reading]);
    });
  }
  const unnamed = ['=1', ' =1', 'a\nb=1', 'hello, world'];
  for (const text of ['', 'a', 'a=1,', ',a=1', 'a=1,,b=2', 'a=1,a=2', 'a=1, a =2', ...unnamed]) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.equal(refused(data(JSON.stringify(text))).code, 'invalid_message');
    });
  }

  it('has the limits of any reading', () => {
    assert.deepEqual(readings(data(`"a=${'x'.repeat(5000)}"`)), [`{"a":"${'x'.repeat(5000)}"}`]);
    assert.deepEqual(readings(data(`"a=${'1'.repeat(1024)}"`)), [`{"a":${'1'.repeat(1024)}}`]);
    assert.equal(refused(data(`"a=${'1'.repeat(1025)}"`)).code, 'invalid_message');
    assert.equal(readings(data(`"${'x'.repeat(64)}=1"`)).length, 1);
    assert.equal(refused(data(`"${'x'.repeat(65)}=1"`)).code, 'invalid_message');
  });
});

describe('a batch', () => {
  it('gives its readings in order, objects and strings', () => {
    const expected = ['{"a":1}', '{"b":2}', '{"c":"]},{"}'];
    assert.deepEqual(readings(data('[ {"a":1} , "b=2" ,{"c": "]},{"}]')), expected);
  });

  it('has 1 to 1000 readings', () => {
    const batch = (count: number) => data(`[${Array(count).fill('{"a":1}').join(',')}]`);
    assert.equal(readings(batch(1)).length, 1);
    assert.equal(readings(batch(1000)).length, 1000);
    assert.match(refused(batch(1001)).message, /1-1000 readings/);
    assert.match(refused(batch(0)).message, /1-1000 readings/);
  });

  it('is refused as a whole if one reading is wrong, and the text names the reading', () => {
    assert.match(refused(data('[{"a":1},{"a":1},{"":[]}]')).message, /reading 3/);
  });
});

describe('seq', () => {
  const seqOf = (text: string) => decode(`{"type":"metrics","seq":${text},"data":{"a":1}}`);
  for (const seq of [0, 1, 41, 2 ** 53 - 1]) {
    it(`${seq} is taken`, () => {
      assert.deepEqual(seqOf(String(seq)), { type: 'metrics', seq, readings: ['{"a":1}'] });
    });
  }
  const wrong = '9007199254740992 9007199254740993 -1 -0 1.0 1e2 1.5 "1" null true [1] 1e400';
  for (const text of wrong.split(' ')) {
    it(`${text} is refused, and the reply repeats no seq`, () => {
      const { code, message, seq } = refused(`{"type":"metrics","seq":${text},"data":{"a":1}}`);
      assert.equal(code, 'invalid_message');
      assert.match(message, /'seq'/);
      assert.equal(seq, undefined);
    });
  }

  it('comes back in a refusal wherever it is in the line', () => {
    assert.equal(refused('{"type":"metrics","seq":7,"data":5}').seq, 7);
    assert.equal(refused('{"data":5,"type":"metrics","seq": 7 }').seq, 7);
    assert.equal(refused('{"seq":7,"type":"unknown"}').seq, 7);
    assert.equal(refused('{"x":1,"x":1,"type":"metrics","seq":7}').seq, 7);
    assert.equal(refused('{"type":"metrics","data":{"seq":7,"":[]}}').seq, undefined);
  });
});

describe('CODES', () => {
  it('are those of the contract, and end the connection as it says', () => {
    const keep =
      'invalid_json invalid_utf8 invalid_message already_identified record_too_large queue_full rate_limited';
    const close =
      'identify_timeout not_identified unauthorized tls_required handshake_timeout line_too_long line_timeout inactive server_full replaced slow_reader too_many_errors wrong_protocol overloaded kicked';
    assert.deepEqual([...CODE_NAMES].sort(), `${keep} ${close}`.split(' ').sort());
    for (const code of CODE_NAMES) assert.equal(isFatal(code), close.split(' ').includes(code), code);
    assert.ok(Object.values(CODES).every(({ meaning }) => meaning.length > 0));
  });
});
