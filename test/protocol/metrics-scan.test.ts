import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeLine } from '../../src/protocol/messages.ts';
import { copyCompact, MetricsScan } from '../../src/protocol/metrics-scan.ts';
import { recordTail } from '../../src/protocol/record-frame.ts';

const scan = new MetricsScan();

interface Found {
  readonly seq: number;
  readonly readingBytes: number;
  /** The value of the record after its head. */
  readonly tail: string;
}

/** The result of the short cut for bytes[start, end), undefined if it leaves the line to decodeLine. */
function shortCut(bytes: Uint8Array, start: number, end: number): Found | undefined {
  if (!scan.scan(bytes, start, end)) return undefined;
  const { seq, readingBytes, tailStart, whitespace } = scan;
  const target = new Uint8Array(end - tailStart);
  const length = copyCompact(bytes, tailStart, end, target, 0);
  assert.equal(length, target.length - whitespace, 'the white space was counted right');
  return { seq, readingBytes, tail: Buffer.from(target.subarray(0, length)).toString() };
}

/** The places of a line in the framer: in a chunk before LF or CR LF, at the end of a buffer, in a buffer with room left. */
const AROUND: readonly (readonly [before: string, after: string])[] = [
  ['', ''],
  ['', '\n'],
  ['{"type":"metrics",\n', '\r\n'],
  ['x', '\n"data":{"a":1}}\n'],
  ['', '\0\0\0\0'],
];

/** Fails if the short cut takes a line with another result than decodeLine. True if it took the line. */
function agrees(line: Uint8Array): boolean {
  let taken = 0;
  for (const [before, after] of AROUND) {
    const bytes = Buffer.concat([Buffer.from(before), line, Buffer.from(after)]);
    const start = before.length;
    const found = shortCut(bytes, start, start + line.length);
    if (found === undefined) continue;
    taken++;
    const message = decodeLine(bytes, start, start + line.length);
    assert.ok(message.type === 'metrics');
    const [reading] = message.readings;
    assert.ok(reading !== undefined && message.readings.length === 1);
    assert.deepEqual(found, {
      seq: message.seq ?? -1,
      readingBytes: Buffer.byteLength(reading),
      tail: recordTail(message.seq, reading),
    });
  }
  assert.ok(taken === 0 || taken === AROUND.length, 'what is around a line does not matter');
  return taken > 0;
}

const metrics = (data: string) => `{"type":"metrics","data":${data}}`;
const nested = (open: string, inner: string, close: string, depth: number) =>
  `${open.repeat(depth)}${inner}${close.repeat(depth)}`;
/** Elements of an array. */
const many = (count: number) => Array(count).fill('1').join(',');
/** Members of an object. */
const members = (count: number) => Array.from({ length: count }, (_, i) => `"f${i}":${i}`).join(',');
/** Members that are objects with `width` members each. */
const wide = (count: number, width: number) =>
  Array.from({ length: count }, (_, i) => `"o${i}":{${members(width)}}`).join(',');

const reading = '"timestamp":"2026-11-21T08:00:00Z","temperature":21.5,"humidity":60,"ok":true,"note":null';

/** Objects and arrays in turn. */
function deep(depth: number, inner: string): string {
  let text = inner;
  for (let level = 0; level < depth; level++) text = level % 2 === 0 ? `[${text}]` : `{"a":${text}}`;
  return text;
}

describe('MetricsScan takes', () => {
  const usual: Record<string, string> = {
    'a reading': `{"type":"metrics","data":{${reading}}}`,
    'a reading with seq': `{"type":"metrics","seq":41,"data":{${reading}}}`,
    'seq 0': `{"type":"metrics","seq":0,"data":{${reading}}}`,
    'a seq of 15 digits': `{"type":"metrics","seq":999999999999999,"data":{${reading}}}`,
    'the spaces of json.dumps': `{"type": "metrics", "data": {${reading.replaceAll(',', ', ').replaceAll('":', '": ')}}}`,
    'the spaces of json.dumps and seq': `{"type": "metrics", "seq": 41, "data": {${reading.replaceAll(',', ', ')}}}`,
    'tabs and a CR': `{\t"type"\t:\t"metrics"\t,\t"seq" :\r41 , "data" : {\t"a" : 1\t,\r"b"\t:\t2 } \t} \r`,
    'numbers of every form':
      '{"type":"metrics","data":{"a":-0,"b":0.50,"c":1e400,"d":-1.5E+3,"e":12345678901234567890}}',
    '64 fields': `{"type":"metrics","data":{${Array.from({ length: 64 }, (_, i) => `"field_${i}":${i}`).join(',')}}}`,
    'an empty string': '{"type":"metrics","data":{"a":""}}',
    'a string of 60,000': `{"type":"metrics","data":{"a":"${'x'.repeat(60_000)}"}}`,
    'a number of 1024': `{"type":"metrics","data":{"a":[${'1'.repeat(1024)}]}}`,
    'a name of 64': `{"type":"metrics","data":{"${'x'.repeat(64)}":1}}`,
    'braces and commas in strings': '{"type":"metrics","data":{"}}{,:":"}}, {: "}}',
    'the name __proto__': '{"type":"metrics","data":{"__proto__":1}}',
    'nested values':
      '{"type":"metrics","seq":4712,"data":{"position":{"lat":48.1372,"lon":11.5756},"axles":[7200,8100]}}',
    'white space in nested values':
      '{"type":"metrics", "data" : { "a" : { "b" :\t[ 1 , { } , [ ] ,"x y"\r] } , "c" : [ [ 2 ] ] }}',
    'empty objects and arrays': '{"type":"metrics","data":{"a":{},"b":[],"c":[{},[]]}}',
    'one name in several objects':
      '{"type":"metrics","data":{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"c":{"a":1}}}',
    'brackets in nested strings': '{"type":"metrics","data":{"a":["]","}"],"b":{"]":"[{"}}}',
    'depth 16 of objects': metrics(`{"a":${nested('{"a":', '1', '}', 15)}}`),
    'depth 16 of arrays': metrics(`{"a":${nested('[', '', ']', 15)},"b":1}`),
    '1,024 members': metrics(`{"a":[${many(1023)}]}`),
    '1,024 members, the last one behind the nested value': metrics(`{"a":[${many(1022)}],"b":1}`),
    '1,024 members in objects of 64': metrics(`{${wide(16, 63)}}`),
    'a nested name of 64': metrics(`{"a":{"${'x'.repeat(64)}":1}}`),
    '64 nested fields': metrics(`{"a":{"a":1,"b":2},"c":{${members(64)}},"d":{${members(64)}}}`),
  };
  for (const [name, line] of Object.entries(usual)) {
    it(name, () => {
      assert.ok(agrees(Buffer.from(line)));
    });
  }
});

describe('MetricsScan leaves to decodeLine', () => {
  const unusual: Record<string, string> = {
    nothing: '',
    'another type': `{"type":"keepalive"}`,
    'another order': `{"data":{${reading}},"type":"metrics"}`,
    'a field it does not know': `{"type":"metrics","x":1,"data":{${reading}}}`,
    'a field after data': `{"type":"metrics","data":{${reading}},"x":1}`,
    'a batch': `{"type":"metrics","data":[{${reading}}]}`,
    'a string': '{"type":"metrics","data":"a=1"}',
    'an empty object': '{"type":"metrics","data":{}}',
    'depth 17 of objects': metrics(`{"a":${nested('{"a":', '1', '}', 16)}}`),
    'depth 17 of arrays': metrics(`{"a":${nested('[', '', ']', 16)}}`),
    '1,025 members': metrics(`{"a":[${many(1024)}]}`),
    '1,025 members, the last one behind the nested value': metrics(`{"a":[${many(1023)}],"b":1}`),
    '1,025 members in two nested values': metrics(`{"a":[${many(512)}],"b":[${many(511)}]}`),
    '1,025 members in objects of 64': metrics(`{${wide(16, 63)},"z":1}`),
    '65 nested fields, which decodeLine takes': metrics(`{"a":{${members(65)}}}`),
    'a nested name twice': metrics('{"a":{"b":1,"c":{"b":1},"b":2}}'),
    'a nested name of 65': metrics(`{"a":{"${'x'.repeat(65)}":1}}`),
    'an empty nested name': metrics('{"a":[{"":1}]}'),
    'a nested escape': metrics('{"a":["\\n"]}'),
    'brackets that do not fit': metrics('{"a":[1}}'),
    'brackets that do not fit, the other way': metrics('{"a":{"b":1]}'),
    'a nested comma too many': metrics('{"a":[1,]}'),
    'a nested comma too many in an object': metrics('{"a":{"b":1,}}'),
    'a member without a name': metrics('{"a":{1}}'),
    'an element with a name': metrics('{"a":["b":1]}'),
    'an array without an end': '{"type":"metrics","data":{"a":[1',
    'a line of brackets': `{"type":"metrics","data":{"a":${'['.repeat(60_000)}`,
    'an escape': '{"type":"metrics","data":{"a":"\\n"}}',
    'a character beyond ASCII': '{"type":"metrics","data":{"a":"ü"}}',
    'a name twice': '{"type":"metrics","data":{"a":1,"b":2,"a":3}}',
    'two names with the same hash': `{"type":"metrics","data":{"a${'x'.repeat(31)}b":1,"b${'x'.repeat(31)}a":2}}`,
    'data twice': '{"type":"metrics","data":{"a":1},"data":{"a":1}}',
    'a seq of 16 digits': '{"type":"metrics","seq":1000000000000000,"data":{"a":1}}',
    'a seq with a leading zero': '{"type":"metrics","seq":01,"data":{"a":1}}',
    'a fractional seq': '{"type":"metrics","seq":1.0,"data":{"a":1}}',
    'a number with a leading zero': '{"type":"metrics","data":{"a":01}}',
    'a number cut off': '{"type":"metrics","data":{"a":1.}}',
    '65 fields, which decodeLine takes': `{"type":"metrics","data":{${Array.from({ length: 65 }, (_, i) => `"f${i}":${i}`).join(',')}}}`,
    'a nested number of 1025': `{"type":"metrics","data":{"a":[${'1'.repeat(1025)}]}}`,
    'a number of 1025': `{"type":"metrics","data":{"a":${'1'.repeat(1025)}}}`,
    'a name of 65': `{"type":"metrics","data":{"${'x'.repeat(65)}":1}}`,
    'an empty name': '{"type":"metrics","data":{"":1}}',
    'a raw control character': '{"type":"metrics","data":{"a":"\u0001"}}',
    'something after its end': '{"type":"metrics","data":{"a":1}}}',
    'a missing brace': '{"type":"metrics","data":{"a":1}',
    'a comma too many': '{"type":"metrics","data":{"a":1,}}',
    'white space in a word': '{"type":"metrics","data":{"a":tr ue}}',
    'white space within type': '{"type":"met rics","data":{"a":1}}',
    'white space before type’s closing quote': '{"type":"metrics ","data":{"a":1}}',
  };
  for (const [name, line] of Object.entries(unusual)) {
    it(name, () => {
      assert.equal(agrees(Buffer.from(line)), false);
    });
  }
});

describe('MetricsScan and decodeLine', () => {
  const FUZZ_MS = process.env.SLUICE_TEST_SUITE === 'unit' ? 1000 : 3000;

  const space = fc.constantFrom('', '', '', ' ', '\t', '\r', '  ');
  const usually = <T>(arbitrary: fc.Arbitrary<T>) => ({ weight: 30, arbitrary });
  const rarely = <T>(arbitrary: fc.Arbitrary<T>) => ({ weight: 1, arbitrary });
  const name = fc.oneof(
    usually(fc.stringMatching(/^[a-zA-Z_0-9. ]{1,12}$/)),
    rarely(fc.constantFrom('a', 'b', '__proto__', 'data', 'seq', 'type', 'bx', 'cX', '')),
    rarely(fc.string({ maxLength: 66 }).map((text) => JSON.stringify(text).slice(1, -1))),
  );
  const scalar = fc.oneof(
    usually(fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)),
    usually(fc.integer().map(String)),
    usually(fc.constantFrom('true', 'false', 'null', '""', '0', '-0', '1e400', '12345678901234567890')),
    usually(fc.stringMatching(/^[ -!#-[\]-~]{0,20}$/).map((text) => `"${text}"`)),
    rarely(
      fc.constantFrom('01', '-', '1.', '.5', '1e', '+1', '0x1', 'True', 'nul', '{}', '[]', '[1]', '{"a":1}'),
    ),
    rarely(fc.string({ unit: 'binary', maxLength: 8 }).map((text) => JSON.stringify(text))),
  );
  const spaced = (text: fc.Arbitrary<string>) =>
    fc.tuple(space, text, space).map(([a, inner, b]) => `${a}${inner}${b}`);
  const named = (value: fc.Arbitrary<string>) =>
    fc.tuple(space, name, space, spaced(value)).map(([a, n, b, v]) => `${a}"${n}"${b}:${v}`);
  const listed = (list: readonly string[]) => list.join(',');
  const shallow = fc.constantFrom('"x"', '1', '{}', '[]', '[ ]', '{"a":{}}', 'null');
  const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      usually(scalar),
      { weight: 6, arbitrary: tie('object') },
      { weight: 6, arbitrary: tie('array') },
      rarely(fc.tuple(fc.integer({ min: 1, max: 17 }), shallow).map(([depth, v]) => deep(depth, v))),
      rarely(fc.constantFrom(...[60, 64, 65, 1019, 1020, 1024].map((count) => `[${many(count)}]`))),
      rarely(fc.constantFrom(...[63, 64, 65].map((count) => `{${members(count)}}`))),
    ),
    object: fc.array(named(tie('value')), { maxLength: 4 }).map((list) => `{${listed(list)}}`),
    array: fc.array(spaced(tie('value')), { maxLength: 4 }).map((list) => `[${listed(list)}]`),
  }));
  const field = named(value);
  const fields = (minLength: number, maxLength: number) =>
    fc.array(field, { minLength, maxLength }).map((list) => `{${list.join(',')}}`);
  const data = fc.oneof(
    usually(fields(1, 6)),
    rarely(fields(62, 66)),
    rarely(fc.constantFrom('{}', '"a=1"', '[{"a":1}]', 'null')),
  );
  const digits = fc.oneof(
    usually(fc.maxSafeNat().map(String)),
    rarely(fc.constantFrom('0', '00', '1.0', '-1', '1e2', '9007199254740991', '9007199254740992', '"1"')),
  );
  const seq = fc.oneof(
    fc.constant(''),
    fc.tuple(space, digits, space).map(([a, text, b]) => `"seq":${a}${text}${b},`),
  );
  const line = fc
    .tuple(space, space, space, seq, space, data, space, space)
    .map(([a, b, c, s, d, text, e, f]) => `{${a}"type"${b}:${c}"metrics",${s}"data":${d}${text}${e}}${f}`);

  const EMPTY = Buffer.alloc(0);
  type Mutation = (bytes: Buffer) => Buffer;
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const inserted = fc.oneof(
    fc.constantFrom(...' ",:{}[]\\0-.e\n\r\0\u007fü\u2028'),
    fc.constantFrom('[', ']', '{', '}', '[]', '{}', '],[', '},{', '"a":{', '"a":['),
    fc.constantFrom('"a":1,', '"data":{"a":1},', '"type":"metrics",', '"seq":1,', '\\u0061'),
  );
  /** Puts `text` in the place of `count` bytes at a share `where` of the line. */
  const splice =
    (where: number, count: number, text: Buffer): Mutation =>
    (bytes) => {
      const position = Math.floor(where * (bytes.length + 1 - Math.min(1, count)));
      return Buffer.concat([bytes.subarray(0, position), text, bytes.subarray(position + count)]);
    };
  /** Doubles, drops or swaps parts that lie between brackets and commas, so that nesting changes as a whole. */
  const part =
    (where: number, how: number): Mutation =>
    (bytes) => {
      const parts = bytes.toString('latin1').split(/(?=[[\]{},])/);
      const index = Math.floor(where * parts.length);
      const one = parts[index] ?? '';
      if (how === 2) parts.push(...parts.splice(index, 1));
      else parts.splice(index, 1, ...(how === 0 ? [one, one] : []));
      return Buffer.from(parts.join(''), 'latin1');
    };
  const mutation: fc.Arbitrary<Mutation> = fc.oneof(
    fc.tuple(at, fc.nat(2)).map(([where, how]) => part(where, how)),
    fc.tuple(at, fc.integer({ min: 0, max: 255 })).map(([where, byte]) => splice(where, 1, Buffer.of(byte))),
    fc.tuple(at, inserted).map(([where, text]) => splice(where, 0, Buffer.from(text))),
    fc.tuple(at, fc.integer({ min: 1, max: 4 })).map(([where, count]) => splice(where, count, EMPTY)),
  );
  const mutations = fc.oneof(
    { weight: 2, arbitrary: fc.constant<Mutation[]>([]) },
    { weight: 3, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 3 }) },
  );

  it('agree on every line that the short cut takes', (t) => {
    const given = Number(process.env.SLUICE_TEST_SEED);
    const seed = Number.isInteger(given) && given !== 0 ? given : Date.now() & 0x7fffffff;
    t.diagnostic(`seed ${seed} (SLUICE_TEST_SEED)`);
    let taken = 0;
    let looked = 0;
    fc.assert(
      fc.property(line, mutations, (text, changes) => {
        looked++;
        const bytes = changes.reduce<Buffer>((changed, change) => change(changed), Buffer.from(text));
        if (agrees(bytes)) taken++;
      }),
      { seed, numRuns: 10_000_000, interruptAfterTimeLimit: FUZZ_MS, markInterruptAsFailure: false },
    );
    t.diagnostic(`${looked} lines, ${taken} of them taken`);
    assert.ok(taken > looked / 10, 'the generator makes lines that the short cut takes');
  });

  it('agree on each usual line with any one byte changed to any other', () => {
    const original = Buffer.from(
      '{"type": "metrics","seq":12,"data":{"a":-1.5e3, "b":"x","c":{"d":[1,{}, {"e":true}],"f":[]}}}',
    );
    let taken = 0;
    for (let position = 0; position < original.length; position++) {
      const changed = Buffer.from(original);
      for (let byte = 0; byte < 256; byte++) {
        changed[position] = byte;
        if (agrees(changed)) taken++;
      }
    }
    assert.ok(taken > original.length);
  });

  it('agree on each usual line cut off anywhere', () => {
    const original = Buffer.from(
      '{"type":"metrics","seq":12,"data":{"a":-1.5e3,"b":["x",{"d":1}],"c":null}}',
    );
    for (let length = 0; length < original.length; length++) {
      assert.equal(agrees(original.subarray(0, length)), false);
    }
  });
});
