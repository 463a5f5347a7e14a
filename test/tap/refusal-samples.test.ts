// The sample of each reply code, on real connections and in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusalSamples } from '../../src/tap/refusal-samples.ts';

const ORIGIN = {
  id: '8f14e45f-ceea-467f-9c5b-1f0d5d3f2a11',
  deviceId: 'roof-7',
  remoteAddress: '192.0.2.7',
  frame: undefined,
};
const REFUSAL = { code: 'invalid_json', message: 'not one JSON object' } as const;

/** The line inside a larger buffer, as the framer has it. */
function line(text: string | Uint8Array) {
  const bytes = Buffer.concat([Buffer.from('before\n'), Buffer.from(text), Buffer.from('\nafter')]);
  return { bytes, start: 7, end: bytes.length - 6 };
}

function sampleOf(text: string | Uint8Array) {
  const samples = new RefusalSamples();
  samples.note(ORIGIN, REFUSAL, line(text));
  samples.stop();
  const [sample] = samples.read();
  assert.ok(sample !== undefined);
  return sample;
}

test('the last line of a code is kept, with who sent it and when', () => {
  const samples = new RefusalSamples();
  const before = Date.now();
  samples.note(ORIGIN, REFUSAL, line('first, which is longer'));
  samples.note(ORIGIN, { code: 'inactive', message: 'nothing was received' });
  samples.note({ ...ORIGIN, deviceId: undefined }, REFUSAL, line('second'));
  samples.stop();
  const [json, inactive] = samples.read();
  assert.ok(json && inactive);
  const { at, ...facts } = json;
  assert.ok(Date.parse(at) >= before && Date.parse(at) <= Date.now());
  assert.deepEqual(facts, {
    code: 'invalid_json',
    connection_id: ORIGIN.id,
    device_id: null,
    address: ORIGIN.remoteAddress,
    message: REFUSAL.message,
    line: 'second',
    line_bytes: 6,
  });
  assert.deepEqual(
    [inactive.code, inactive.device_id, inactive.line, inactive.line_bytes],
    ['inactive', 'roof-7', null, null],
  );
});

test('a line is cut at 200 bytes, and at a character', () => {
  assert.equal(sampleOf('x'.repeat(200)).line, 'x'.repeat(200));
  const long = sampleOf('x'.repeat(201));
  assert.deepEqual([long.line, long.line_bytes], ['x'.repeat(200), 201]);
  assert.equal(sampleOf(`${'x'.repeat(199)}é`).line, 'x'.repeat(199));
  assert.equal(sampleOf(`${'x'.repeat(198)}é!`).line, `${'x'.repeat(198)}é`);
  assert.equal(sampleOf(`${'x'.repeat(197)}😀`).line, 'x'.repeat(197));
});

test('no byte of a device makes the text longer than 200 bytes, or harmful to a terminal', () => {
  for (const bytes of [
    Buffer.alloc(300, 0xff),
    Buffer.alloc(300, 0x80),
    Buffer.alloc(300, 0x1b),
    Buffer.from('\u202e\u200b'.repeat(60)),
    Buffer.from('{"token":1,'.repeat(30)),
  ]) {
    const { line: text } = sampleOf(bytes);
    assert.ok(text !== null && Buffer.byteLength(text) <= 200, `${text}`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must not be there
    assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u200b\u202e]/);
  }
});

test('tokens are hidden, also in lines that are not JSON, cut, or escaped', () => {
  const secret = 'S3cret-that-nobody-reads';
  const own = `sluice_${'a'.repeat(43)}`;
  for (const text of [
    `{"type":"identify","token":"${secret}","zipcode":1}`,
    `{"type":"identify","access_token": "${secret}`,
    `{"\\u0074oken":"${secret}"}`,
    `token: "${secret}"`,
    `{"zipcode":"${own}"}`,
    `${'x'.repeat(180)}"token":"${secret}"}`,
    Buffer.from(`{"token":"${secret}"}`, 'utf16le'),
  ]) {
    const { line: shown } = sampleOf(text);
    const plain = shown?.replaceAll('\\u0000', '') ?? '';
    for (const hidden of [secret, secret.slice(0, 6), own.slice(0, 20)])
      assert.ok(!plain.includes(hidden), plain);
  }
  const samples = new RefusalSamples();
  samples.note(ORIGIN, { code: 'invalid_message', message: `no such type ${own}` }, line('x'));
  samples.stop();
  assert.doesNotMatch(samples.read()[0]?.message ?? '', /aaaa/);
});

test('of a flood a few lines a second are copied', async () => {
  const samples = new RefusalSamples();
  let looks = 0;
  const flood = {
    start: 0,
    end: 5,
    get bytes() {
      looks++;
      return Buffer.from('flood');
    },
  };
  for (let i = 0; i < 100_000; i++) samples.note(ORIGIN, REFUSAL, flood);
  assert.ok(looks <= 8, `${looks} copies`);
  // Another code has copies of its own, and after a second so has this one.
  samples.note(ORIGIN, { code: 'invalid_utf8', message: '' }, line('other'));
  assert.equal(samples.read()[1]?.line, 'other');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  samples.note(ORIGIN, REFUSAL, line('later'));
  samples.stop();
  assert.equal(samples.read()[0]?.line, 'later');
});
