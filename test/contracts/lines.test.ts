// The contract of device messages against the decoder: random lines, and lines at each limit, are valid for both or for neither,
// but for what UNSAID names. Each name of UNSAID has a line here.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DEFAULT_RULES } from '../../scripts/contracts/files.ts';
import { type MessageRules, UNSAID } from '../../scripts/contracts/messages.ts';
import { lineDecoder } from '../../src/protocol/line-decoder.ts';
import { Random } from '../chaos/random.ts';
import { LineMaker } from '../fuzz/lines.ts';
import { mutated } from '../fuzz/mutations.ts';
import { judgeDeviceLine, type LineVerdict } from './judge-lines.ts';
import { identify, LIMITS, latin1, metrics, nested, tags } from './limits.ts';

const LINES = 6_000;
const LINES_OF_SETTINGS = 600;

/** Without `device_id` in TCP_IDENTIFY: the connection misses it, not the decoder. */
function randomRules(random: Random): MessageRules {
  const some = <T>(all: readonly T[]) => all.filter(() => random.next() < 0.3);
  const types = ['number', 'string', 'time'] as const;
  return {
    ...DEFAULT_RULES,
    identify: some(['zipcode', 'city', 'tags.a', 'tags.größe']),
    required: some(['a', 'b', 'temperature']).map((name) => ({ name, type: random.pick(types) })),
    isTraced: random.next() < 0.5,
  };
}

/** The verdict on a line of bytes (latin1), with what the decoder makes of it. */
function judged(
  line: string,
  rules: MessageRules = DEFAULT_RULES,
): LineVerdict & { readonly outcome: string } {
  const bytes = Buffer.from(line, 'latin1');
  const { identify, required, isTraced } = rules;
  const decoder = lineDecoder({ compatibility: null, required, rules: { identify, traceparent: isTraced } });
  const message = decoder.decode(bytes, 0, bytes.length);
  const refused = message.type === 'refused' ? message : undefined;
  const outcome = refused?.code ?? 'accepted';
  const entry = { line, outcome, ...(refused && { message: refused.message }) };
  return { ...judgeDeviceLine(entry, rules), outcome };
}

it('random lines are valid for the schema exactly if the decoder accepts them', (t) => {
  const given = Number(process.env.SLUICE_TEST_SEED);
  const seed = Number.isSafeInteger(given) && given > 0 ? given : Date.now() % 2 ** 31;
  const random = new Random(seed);
  const lines = new LineMaker(random);
  const counts: Record<string, number> = {};
  let rules = DEFAULT_RULES;
  for (let number = 0; number < LINES; number++) {
    if (number % LINES_OF_SETTINGS === 0) rules = random.next() < 0.5 ? DEFAULT_RULES : randomRules(random);
    const line = Buffer.from(random.next() < 0.3 ? lines.identify('a') : lines.message('a')).toString(
      'latin1',
    );
    // A mutation may put an end of line into it.
    const [sent = ''] = (random.next() < 0.4 ? mutated(line, random) : line).split('\n');
    const { fault, outcome, unsaid, isRefusedBySchema } = judged(sent, rules);
    const what = `SLUICE_TEST_SEED=${seed}: ${JSON.stringify(rules)} ${sent.slice(0, 2000)}`;
    assert.equal(fault, undefined, what);
    const kind = unsaid ?? (isRefusedBySchema ? `${outcome} for both` : outcome);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  t.diagnostic(`seed ${seed}: ${JSON.stringify(counts)}`);
  assert.ok((counts.accepted ?? 0) > LINES / 10 && (counts['invalid_message for both'] ?? 0) > LINES / 50);
});

it('at each limit the schema says what the decoder says, and needs no exception', () => {
  for (const [good, bad] of LIMITS) {
    const accepted = judged(latin1(good));
    assert.deepEqual([accepted.outcome, accepted.fault], ['accepted', undefined], good.slice(0, 200));
    const refused = judged(latin1(bad));
    assert.deepEqual(
      [refused.outcome, refused.fault, refused.isRefusedBySchema],
      ['invalid_message', undefined, true],
      bad.slice(0, 200),
    );
  }
});

const TRACED = { ...DEFAULT_RULES, isTraced: true };
const IDS = { ...DEFAULT_RULES, identify: ['device_id', 'tags.fw'] };
const REQUIRED: MessageRules = {
  ...DEFAULT_RULES,
  required: [
    { name: 'timestamp', type: 'time' },
    { name: 'temperature', type: 'number' },
  ],
};
const at = (timestamp: string, more: object = { temperature: 1 }) => metrics({ timestamp, ...more });
const traced = (traceparent: unknown) => JSON.stringify({ type: 'metrics', traceparent, data: { a: 1 } });
const NO_PARENT = `-${'0'.repeat(16)}`;
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

it('settings change the schema as they change the decoder', () => {
  const cases: readonly (readonly [MessageRules, string, string])[] = [
    [TRACED, traced(TRACE), traced(TRACE.toUpperCase())],
    [TRACED, metrics({ a: 1 }), traced(null)],
    [TRACED, traced(TRACE.replace('00-', 'fe-')), traced(TRACE.replace('00-', 'ff-'))],
    [
      TRACED,
      traced(`00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-00`),
      traced(TRACE.replace(/-b7[^-]*/, NO_PARENT)),
    ],
    [TRACED, traced(TRACE), traced(TRACE.replace(/-0a[^-]*/, `-${'0'.repeat(32)}`))],
    [REQUIRED, at('2026-11-21T08:00:00.25+01:00'), at('2026-11-21t08:00:00Z')],
    [REQUIRED, at('2026-11-21T08:00:00Z'), at('2026-11-21T08:00:60Z')],
    [REQUIRED, at('2026-11-21T08:00:00Z'), at('2026-11-21T08:00:00Z\n')],
    [REQUIRED, at('2026-11-21T08:00:00Z'), at('2026-11-21T08:00:00Z', { temperature: '1' })],
    [REQUIRED, metrics('timestamp=2026-11-21T08:00:00Z,temperature=1'), metrics([{ temperature: 1 }])],
    [IDS, '{"type":"identify","device_id":"a","tags":{"fw":1}}', identify({ device_id: 'a' })],
    [
      IDS,
      '{"type":"identify","device_id":"a","tags":{"fw":"1"}}',
      identify({ device_id: 'a', tags: { fw: '' } }),
    ],
  ];
  for (const [rules, good, bad] of cases) {
    assert.deepEqual([judged(good, rules).outcome, judged(good, rules).fault], ['accepted', undefined], good);
    assert.equal(judged(bad, rules).isRefusedBySchema, true, bad);
    if (rules === TRACED) assert.equal(judged(bad).outcome, 'accepted', 'ignored without the setting');
  }
});

/** Lines that the decoder refuses, and no schema can. */
const UNSAID_LINES: Readonly<Record<string, readonly [string, MessageRules?]>> = {
  twice: ['{"type":"metrics","data":{"a":1,"\\u0061":1}}'],
  depth: [`{"type":"metrics","data":{"a":${nested(17)}}}`],
  members: [metrics({ a: Array.from({ length: 1000 }, () => 1), b: Array.from({ length: 30 }, () => 1) })],
  digits: ['{"type":"metrics","seq":41.0,"data":{"a":1}}'],
  numbers: [`{"type":"metrics","data":{"a":${'9'.repeat(1025)}}}`],
  tags: [tags(16, 'x'.repeat(200))],
  pairs: [metrics('temperature=1'), REQUIRED],
  half: ['{"type":"metrics","data":{"a":[[{"b":"\\udc00"}]]}}'],
  calendar: [at('2026-02-30T08:00:00Z'), REQUIRED],
};
/** These depend on lines before, or on the device. */
const OF_CONNECTIONS = ['certificate', 'order', 'frame'];

it('half of a surrogate pair is refused in each text that the protocol looks at, and no schema knows it', () => {
  const half = '\ud83c';
  for (const line of [
    ...[
      identify({ zipcode: half }),
      identify({ city: half }),
      tags(1, half),
      identify({ tags: { [half]: 1 } }),
    ],
    ...[metrics({ [half]: 1 }), metrics({ a: { [half]: 1 } }), metrics({ a: half }), metrics({ a: [half] })],
    ...[metrics(`a=${half}`), metrics(`${half}=1`), metrics([`a=${half}`])],
  ]) {
    const { outcome, unsaid, fault } = judged(latin1(line));
    assert.deepEqual([outcome, unsaid, fault], ['invalid_message', 'half', undefined], line);
  }
  for (const line of [identify({ token: half }), identify({ other: half }), '{"type":"time","x":"\\ud800"}'])
    assert.deepEqual(
      [judged(latin1(line)).outcome, judged(latin1(line)).fault],
      ['accepted', undefined],
      line,
    );
});

it('what no schema can say is known by name', () => {
  assert.deepEqual([...Object.keys(UNSAID_LINES), ...OF_CONNECTIONS].sort(), Object.keys(UNSAID).sort());
  for (const [name, [line, rules]] of Object.entries(UNSAID_LINES)) {
    const { outcome, unsaid, fault } = judged(line, rules);
    assert.deepEqual([outcome, unsaid, fault], ['invalid_message', name, undefined], line.slice(0, 200));
  }
});
