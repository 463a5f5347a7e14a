// Measures the CPU time of lines that a device may send to keep the gateway busy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullLine } from '../../bench/devices/full-line.ts';
import { lineDecoder } from '../../src/protocol/line-decoder.ts';
import { decodeLine } from '../../src/protocol/messages.ts';
import { MetricsScan } from '../../src/protocol/metrics-scan.ts';

const ROUND_US = 30_000;
const ROUNDS = 5;

const name = (index: number) => index.toString(36);
const METRICS = '{"type":"metrics","data":';
const IGNORED = '{"type":"keepalive","x":';
// Twenty pairs in each of 830 strings.
const pairs = Array.from({ length: 20 }, (_, index) => `${name(index)}=`).join(',');

/** CPU time allowed, in us. About three times what was measured on 2 busy cores. */
const CASES: Record<string, { line: string; us: number }> = {
  'an empty line': { line: '', us: 0.3 },
  'HTTP instead of JSON': { line: 'GET / HTTP/1.1', us: 0.3 },
  'half a line': { line: '{"type":"keepalive"', us: 2 },
  'an unknown type': { line: '{"type":"foo"}', us: 2 },
  'tiny fields': { line: fullLine(`${METRICS}{`, (i) => `"${name(i)}":1`, '}}'), us: 1000 },
  'unknown keys': { line: fullLine('{"type":"keepalive",', (i) => `"${name(i)}":1`, '}'), us: 1500 },
  'unknown keys with escapes': {
    line: fullLine('{"type":"keepalive",', (i) => `"\\u0061${name(i)}":1`, '}'),
    us: 1500,
  },
  'one key again and again': { line: fullLine('{', () => '"a":1', '}'), us: 1500 },
  'arrays in arrays': { line: `${IGNORED}${'['.repeat(32_700)}${']'.repeat(32_700)}}`, us: 1000 },
  'arrays that do not end': { line: `${IGNORED}${'['.repeat(65_000)}`, us: 1000 },
  'a reading of brackets': { line: `${METRICS}{"a":${'['.repeat(32_700)}${']'.repeat(32_700)}}}`, us: 1000 },
  'a reading of brackets that do not end': { line: `${METRICS}{"a":${'['.repeat(65_000)}`, us: 1000 },
  'a reading of 32,000 elements': { line: `${METRICS}{"a":[${Array(32_000).fill('1')}]}}`, us: 2000 },
  'a reading with one name in 1,024 objects': {
    line: `${METRICS}{"a":[${Array(511).fill(`{"${'n'.repeat(64)}":"${'x'.repeat(40)}"}`)}]}}`,
    us: 1500,
  },
  'a reading of empty objects': { line: `${METRICS}{"a":[${Array(21_000).fill('{}')}]}}`, us: 1500 },
  'a batch of nested readings': {
    line: `${METRICS}[${Array(900).fill('{"position":{"lat":48.1372,"lon":11.5756},"axles":[7200,8100]}')}]}`,
    us: 3000,
  },
  'a name of 64 KiB twice': {
    line: `${METRICS}{"a":{"${'n'.repeat(32_000)}":1,"${'n'.repeat(32_000)}":2}}}`,
    us: 1000,
  },
  'JSON that is wrong at its end': { line: `${METRICS}{"a":"${'ü'.repeat(32_000)}"}}x`, us: 1000 },
  'a long string of escapes': { line: `${METRICS}{"a":"${'\\u0061'.repeat(10_900)}"}}`, us: 1000 },
  'a batch of small readings': {
    line: `${METRICS}[${Array(1000).fill('{"wind":3,"rain":0.5,"t":21.5,"note":"dry"}')}]}`,
    us: 2000,
  },
  'a batch of pairs': { line: fullLine(`${METRICS}[`, () => `"${pairs}"`, ']}'), us: 5000 },
};

const NO_UTF8 = Buffer.from(`${METRICS}{"a":"${'ü'.repeat(32_000)}\xff"}}`, 'latin1');
NO_UTF8.fill(Buffer.from('ü'), NO_UTF8.indexOf(0xfc), NO_UTF8.indexOf(0xff));

for (const [what, { line, us }] of [
  ...Object.entries(CASES),
  ['bytes that are not UTF-8 at the end', { line: NO_UTF8, us: 1000 }] as const,
]) {
  test(`${what} costs at most ${us} us`, (t) => {
    const bytes = Buffer.from(line);
    const scan = new MetricsScan();
    // A connection that has identified pays for the short cut first.
    const took = cpuUs(() => scan.scan(bytes, 0, bytes.length) || decodeLine(bytes, 0, bytes.length));
    t.diagnostic(`${bytes.length} bytes: ${took.toFixed(2)} us`);
    assert.ok(took <= us, `${took} us`);
  });
}

const go = lineDecoder({ compatibility: 'go', required: [] });

/** The worst lines for the translation. They are decoded, translated and decoded again. */
const GO_CASES: Record<string, { line: Buffer; us: number }> = {
  'tiny fields in capitals': {
    line: Buffer.from(fullLine(`${METRICS}{`, (i) => `"A${name(i)}":1`, '}}')),
    us: 9000,
  },
  'one key again and again': { line: Buffer.from(fullLine('{', () => '"a":1', '}')), us: 9000 },
  'bytes that are not UTF-8': {
    line: Buffer.concat([Buffer.from(`${METRICS}{"a":"`), Buffer.alloc(65_000, 0xfc), Buffer.from('"}}')]),
    us: 15_000,
  },
};

for (const [what, { line, us }] of Object.entries(GO_CASES)) {
  test(`with TCP_COMPATIBILITY=go, ${what} cost at most ${us} us`, (t) => {
    const took = cpuUs(() => go.decode(line, 0, line.length));
    t.diagnostic(`${line.length} bytes: ${took.toFixed(2)} us`);
    assert.ok(took <= us, `${took} us`);
  });
}

/** CPU time of one call: the least of several rounds, because other processes share the caches. */
function cpuUs(call: () => unknown): number {
  let calls = 1;
  while (roundUs(call, calls) * calls < ROUND_US) calls *= 2;
  return Math.min(...Array.from({ length: ROUNDS }, () => roundUs(call, calls)));
}

function roundUs(call: () => unknown, calls: number): number {
  const before = process.cpuUsage();
  for (let i = 0; i < calls; i++) call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}
