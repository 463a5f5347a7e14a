// Measures the CPU time of lines that a device may send to keep the gateway busy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullLine } from '../../bench/devices/full-line.ts';
import { decodeLine } from '../../src/protocol/messages.ts';

const ROUND_US = 50_000;
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
  'a long string of escapes': { line: `${METRICS}{"a":"${'\\u0061'.repeat(10_900)}"}}`, us: 1000 },
  'a batch of small readings': {
    line: `${METRICS}[${Array(1000).fill('{"wind":3,"rain":0.5,"t":21.5,"note":"dry"}')}]}`,
    us: 2000,
  },
  'a batch of pairs': { line: fullLine(`${METRICS}[`, () => `"${pairs}"`, ']}'), us: 5000 },
};

for (const [what, { line, us }] of Object.entries(CASES)) {
  test(`${what} costs at most ${us} us`, (t) => {
    const bytes = Buffer.from(line);
    const took = cpuUs(() => decodeLine(bytes, 0, bytes.length));
    t.diagnostic(`${bytes.length} bytes: ${took.toFixed(2)} us`);
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
