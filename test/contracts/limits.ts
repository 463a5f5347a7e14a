// Lines of devices at both sides of each limit that a schema can say.

export const identify = (fields: object) =>
  JSON.stringify({ type: 'identify', zipcode: '1', city: 'x', ...fields });
export const metrics = (data: unknown) => JSON.stringify({ type: 'metrics', data });
export const nested = (depth: number) => `${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}`;
export const latin1 = (text: string) => Buffer.from(text).toString('latin1');
export const tags = (count: number, value: unknown = 1) =>
  identify({ tags: Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, value])) });
const NAMES = ['x', 'ü', '🌧'];

/** Pairs of lines: the first is accepted, the second is not, and the schema knows both. */
export const LIMITS: readonly (readonly [string, string])[] = [
  ...NAMES.flatMap((c): [string, string][] => [
    [identify({ zipcode: c.repeat(64) }), identify({ zipcode: c.repeat(65) })],
    [identify({ city: c.repeat(256) }), identify({ city: c.repeat(257) })],
    [identify({ token: c.repeat(1024) }), identify({ token: c.repeat(1025) })],
    [metrics({ [c.repeat(64)]: 1 }), metrics({ [c.repeat(65)]: 1 })],
    [metrics({ a: { [c.repeat(64)]: 1 } }), metrics({ a: { [c.repeat(65)]: 1 } })],
    [metrics(`${c.repeat(64)}=1`), metrics(`${c.repeat(65)}=1`)],
    [identify({ tags: { [c.repeat(64)]: 1 } }), identify({ tags: { [c.repeat(65)]: 1 } })],
    [identify({ tags: { a: c.repeat(256) } }), identify({ tags: { a: c.repeat(257) } })],
  ]),
  [identify({ device_id: 'a'.repeat(64) }), identify({ device_id: 'a'.repeat(65) })],
  [identify({ device_id: 'a.b_c:d-9' }), identify({ device_id: 'a b' })],
  // A text that was read from a file, with its line end.
  [identify({ device_id: 'a' }), identify({ device_id: 'a\n' })],
  [identify({ zipcode: '\u00a0' }), identify({ zipcode: '90210\n' })],
  [metrics({ '\u00ad': 1 }), metrics({ 'a\n': 1 })],
  [identify({ device_id: 'a', resume: true }), identify({ device_id: 'a', resume: null })],
  [identify({ resume: false }), identify({ resume: 'true' })],
  [identify({ city: 'a\nb' }), identify({ city: '' })],
  [identify({ city: 'a\nb' }), identify({ zipcode: 'a\nb' })],
  [identify({}), identify({ zipcode: '' })],
  [identify({ token: '\ud800' }), identify({ token: null })],
  [tags(16), tags(17)],
  [tags(1, null), tags(1, [])],
  [metrics([{ a: 1 }]), metrics([])],
  [metrics(Array.from({ length: 1000 }, () => 'a=1')), metrics(Array.from({ length: 1001 }, () => 'a=1'))],
  [metrics({ a: {} }), metrics({})],
  [metrics(' a b = 1,c='), metrics('a=1,,b=2')],
  [metrics('a==b'), metrics('=1')],
  ...['\u00a0', '\u1680', '\u2005', '\u2028', '\u3000', '\ufeff', '\t'].map((c): [string, string] => [
    metrics(`${c}${'x'.repeat(64)}${c}=1`),
    metrics(`a=1,${c}=1`),
  ]),
  // White space in Python, but not here.
  ...['\u0085', '\u001c'].map((c): [string, string] => [metrics(`a=${c}`), metrics(`${c}a=1`)]),
  [metrics({ a: '\u0000\u0085' }), metrics({ '\u0085': 1 })],
  [metrics({ a: [[{ b: 'x' }]] }), metrics({ a: [[{ 'b\u0000': 1 }]] })],
  [metrics({ a: { b: 1 } }), metrics({ a: { '': 1 } })],
  ['{"type":"keepalive","x":[[]]}', '{"type":"Keepalive"}'],
  ['{"type":"time"}', '{"type":null}'],
  [
    `{"type":"metrics","seq":${Number.MAX_SAFE_INTEGER},"data":{"a":1e400}}`,
    '{"type":"metrics","seq":-1,"data":{"a":1}}',
  ],
  ['{"type":"metrics","seq":0,"data":{"a":1}}', '{"type":"metrics","seq":"0","data":{"a":1}}'],
];
