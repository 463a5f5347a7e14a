// The bytes that attackers send: lines of full length that are expensive to refuse, and lines that are wrong in each way.
import { fullLine } from '../../devices/full-line.ts';

/** A bit less than TCP_MAX_LINE_BYTES. */
const FULL_BYTES = 65_000;
const METRICS = '{"type":"metrics","data":';

const filled = (...of: Parameters<typeof fullLine>) => Buffer.from(`${fullLine(...of)}\n`);

const nested = (open: string, inner: string, close: string): string => {
  const depth = Math.floor(FULL_BYTES / (open.length + close.length));
  return open.repeat(depth) + inner + close.repeat(depth);
};

export const LINE_FEEDS = Buffer.alloc(65_536, '\n');

export const TINY_FIELDS = [
  filled(`${METRICS}{`, (index) => `"${index.toString(36)}":1`, '}}'),
  filled(`${METRICS}[`, () => '{"a":1}', ']}'),
  filled(`${METRICS}[`, () => '{}', ']}'),
  filled(`${METRICS}"`, (index) => `${index.toString(36)}=1`, '"}'),
];

export const UNKNOWN_KEYS = [
  filled('{"type":"keepalive",', (index) => `"x${index.toString(36)}":1`, '}'),
  filled('{"type":"keepalive",', (index) => `"x${index.toString(36)}":{"a":[1,"b",null]}`, '}'),
  filled('{', (index) => `"\\u00${16 + (index % 200)}${index}":"\\u0041"`, ',"type":"keepalive"}'),
];

export const DUPLICATE_KEYS = [
  filled(`${METRICS}{`, () => '"a":1', '}}'),
  filled('{"type":"metrics",', () => '"type":"metrics"', '}'),
  // All names differ, except for the last two.
  Buffer.from(
    `${METRICS}{${Array.from({ length: 1_000 }, (_, index) => `"field${index}":1`).join(',')},"field999":2}}\n`,
  ),
];

export const DEEP_NESTING = [
  Buffer.from(`${nested('[', '', ']')}\n`),
  Buffer.from(`${nested('{"a":', '1', '}')}\n`),
  Buffer.from(`${METRICS}${nested('[', '1', ']')}}\n`),
  Buffer.from(`{"type":"keepalive","x":${nested('[', '1', ']')}}\n`),
  // 60,000 brackets that are never closed.
  Buffer.from(`${'['.repeat(60_000)}\n`),
];

/** Lines that are wrong in each way that a connection survives. Sent after identify. */
export const REFUSED_LINES = [
  Buffer.from('hello\n'),
  Buffer.from('\n'),
  Buffer.from('{"type":"metrics","data":{"temperature":21.5\n'),
  Buffer.from('{"type":"metrics","data":{"note":"\xff\xfe"}}\n', 'latin1'),
  Buffer.from('{"type":"metrics","data":{}}\n'),
  Buffer.from('{"type":"identify","zipcode":"90210","city":"Again"}\n'),
  Buffer.from('{"type":"nothing"}\n'),
  Buffer.from('{"type":"metrics","seq":-1,"data":{"a":1}}\n'),
];

export const HOSTILE_JSON = [
  '{"__proto__":{"type":"keepalive"}}',
  '{"type":"metrics","data":{"__proto__":1,"constructor":2}}',
  '{"type":"metrics","__proto__":{"admin":true},"data":{"a":1}}',
  '{"type":"metrics","data":{"a":1e400,"b":-1e400}}',
  '{"type":"metrics","data":{"a":123456789012345678901234567890}}',
  `{"type":"metrics","data":{"a":${'9'.repeat(1_024)}}}`,
  `{"type":"metrics","data":{"a":${'9'.repeat(60_000)}}}`,
  'null',
  '5',
  '[]',
  '"text"',
  'true',
  '\ufeff{"type":"keepalive"}',
  '{"type":"metrics","data":{"a":1},"data":{"a":2}}',
  '{"type":"metrics","data":{"a":1},"type":"keepalive"}',
  '{"type":"metrics","data":{"a":"\\ud800"}}',
  '{"type":"metrics","data":{"\\udc00":1}}',
  '{"type":"metrics","data":{"a":NaN,"b":Infinity}}',
  '{"type":"metrics","data":{"a":01,"b":+1,"c":.5}}',
  '{"type":"metrics","seq":9007199254740993,"data":{"a":1}}',
  '{"type":"metrics","data":{"timestamp":"1970-01-01T00:00:00Z"}}',
  '{"type":"metrics","data":{"timestamp":"9999-12-31T23:59:59Z"}}',
  '{"type":"metrics","data":{"timestamp":-62135596800000}}',
  `{"type":"metrics","data":{"a":"${'\\u0041'.repeat(1_024)}"}}`,
  `{"type":"metrics","data":"${'='.repeat(60_000)}"}`,
  `${' '.repeat(60_000)}{"type":"keepalive"}`,
].map((line) => Buffer.from(`${line}\n`));

/** Wrong bytes, whole and in the middle of lines. A line is cut between two writes, in the middle of a character. */
export const INVALID_UTF8 = [
  Buffer.from([0xff, 0xfe, 0x0a]),
  Buffer.from([0xc0, 0x80, 0x0a]),
  Buffer.concat([Buffer.from(`${METRICS}{"a":"`), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}}\n')]),
  Buffer.concat([
    Buffer.from(`${METRICS}{"a":"`),
    Buffer.from([0xf4, 0x90, 0x80, 0x80]),
    Buffer.from('"}}\n'),
  ]),
  Buffer.concat([Buffer.alloc(60_000, 0x80), Buffer.from('\n')]),
];
/** An é, to be cut after its first byte. */
export const CUT_CHARACTER = {
  head: Buffer.concat([Buffer.from(`${METRICS}{"a":"`), Buffer.from([0xc3])]),
  tail: Buffer.concat([Buffer.from([0xa9]), Buffer.from('"}}\n')]),
};

/** CR, LF, ESC, a bell and characters that turn the direction of text. */
const CONTROLS = [
  '\r',
  '\\n',
  '\x1b[2J\x1b]0;owned\x07',
  '\\u001b[31m',
  '\u202e',
  '\\u202e',
  '\u2066',
  '\x00',
  '\x7f',
];

/** Identify lines with these characters in each field. */
export const CONTROL_IDS = CONTROLS.flatMap((control) =>
  (['zipcode', 'city', 'device_id', 'token'] as const).map((field) => {
    const values = {
      zipcode: '20000',
      city: 'Foeville',
      device_id: 'foe',
      token: 'x',
      [field]: `a${control}b`,
    };
    const members = Object.entries(values).map(([name, value]) => `"${name}":"${value}"`);
    return Buffer.from(`{"type":"identify",${members.join(',')}}\n`);
  }),
);

/** Many good lines. */
export const SMALL_LINE = Buffer.from(
  '{"type":"metrics","data":{"temperature":21.5,"humidity":60.1,"pressure":1013.2}}\n',
);
export const SMALL_LINES = Buffer.concat(Array.from({ length: 200 }, () => SMALL_LINE));

const LARGE_FIELDS = 60;
/** A good line of 60 KB with one reading. */
export const LARGE_LINE = Buffer.from(
  `${METRICS}{${Array.from({ length: LARGE_FIELDS }, (_, index) => `"field${index}":"${'v'.repeat(1_000)}"`).join(',')}}}\n`,
);

export const KEEPALIVE = Buffer.from('{"type":"keepalive"}\n');
