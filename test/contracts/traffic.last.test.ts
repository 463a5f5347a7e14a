// Holds the traffic of the other test files against the contracts. The runner runs it when all of them have ended.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MESSAGES } from '../../scripts/contracts/messages.ts';
import { REPLIES } from '../../scripts/contracts/replies.ts';
import { CLOSING_CODES, CODE_NAMES } from '../../src/protocol/codes.ts';
import type { LineEntry, ReplyEntry } from '../support/traffic/device-ports.ts';
import type { GatewayFacts } from '../support/traffic/gateway-facts.ts';
import type { RecordEntry, TopicEntry } from '../support/traffic/records.ts';
import { readTraffic } from '../support/traffic/traffic-file.ts';
import { judgeDeviceLine, judgePlainLine } from './judge-lines.ts';
import { kindsOf, recordFault, type TopicKind } from './judge-records.ts';
import { DIRECTORY, IS_WHOLE, judgeMissing, SKIP as skip } from './recorded.ts';
import { faultOf } from './validators.ts';

const MAX_SHOWN = 20;
/** A whole run has several times as much. */
const LEAST = { gateways: 200, lines: 4_000, replies: 2_000, records: 1_000 };
const UNKNOWN = 'of an unknown gateway';
/** A process without a free descriptor may lose the note on its gateway. */
const MAX_UNKNOWN = 0.01;
/** Reasons that lines.test.ts cannot play, because they depend on more than the line. */
const OF_CONNECTIONS = ['unsaid: order', 'unsaid: frame'];
const RECORD_KINDS: readonly TopicKind[] = ['reading', 'line', 'dead', 'presence', 'alarm'];

/** What was seen how often. */
class Seen {
  readonly counts = new Map<string, number>();
  readonly faults: string[] = [];

  add(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Says what was seen, and fails if there are faults. */
  judge(t: TestContext): void {
    t.diagnostic([...this.counts].map(([what, count]) => `${what} ${count}`).join(', '));
    const shown = this.faults.slice(0, MAX_SHOWN).join('\n');
    assert.equal(this.faults.length, 0, `${this.faults.length} are not as the contract says:\n${shown}`);
  }

  /** Only a whole run has to have everything. */
  demand(
    t: TestContext,
    wanted: readonly string[],
    { total, least }: { total: number; least: number },
  ): void {
    if (!IS_WHOLE) return;
    assert.ok(total >= least, `only ${total} were recorded: the recorder is broken`);
    judgeMissing(
      t,
      wanted.filter((one) => !this.counts.has(one)),
    );
  }
}

interface Purpose {
  readonly kind: TopicKind;
  /** Of a gateway that writes to it. */
  readonly facts?: GatewayFacts;
}

/** What the topic is for. Gateways with the same settings count once. */
function purposesOf(topic: string): Purpose[] {
  const all = new Map<string, Purpose>();
  for (const facts of gateways.values())
    for (const kind of kindsOf(topic, facts)) {
      const { rules, key, headers } = facts;
      all.set(JSON.stringify([kind, rules, key, headers]), { kind, facts });
    }
  return [...all.values()];
}

const noted = skip ? [] : readTraffic<GatewayFacts>(DIRECTORY, 'gateway');
const gateways = new Map(noted.map((facts) => [facts.id, facts]));

test('gateways of other tests were recorded', { skip }, (t) => {
  t.diagnostic(`${gateways.size} gateways`);
  assert.equal(
    gateways.size,
    noted.length,
    'two gateways have one id, so lines are judged by the wrong settings',
  );
  if (IS_WHOLE) assert.ok(gateways.size >= LEAST.gateways, `only ${gateways.size} gateways`);
});

test('lines that gateways accepted are as the contract says, and those that they refused are not', {
  skip,
}, (t) => {
  const seen = new Seen();
  const entries = readTraffic<LineEntry>(DIRECTORY, 'line');
  for (const entry of entries) {
    const facts = gateways.get(entry.gateway);
    if (facts === undefined) {
      seen.add(UNKNOWN);
      continue;
    }
    seen.add(facts.isProcess ? 'of a process' : 'of a test');
    // The lines of old devices are translated first.
    if (facts.isGo && !entry.isPlain) {
      seen.add('of old devices');
      continue;
    }
    const verdict = entry.isPlain ? judgePlainLine(entry) : judgeDeviceLine(entry, facts.rules);
    const { fault, type, unsaid, isRefusedBySchema } = verdict;
    if (fault !== undefined) seen.faults.push(`${entry.line.slice(0, 300)}\n    ${fault}`);
    if (type !== undefined && entry.outcome === 'accepted') seen.add(type);
    if (unsaid !== undefined) seen.add(`unsaid: ${unsaid}`);
    if (isRefusedBySchema) seen.add('refused');
  }
  seen.judge(t);
  const total = entries.length;
  const unknown = seen.counts.get(UNKNOWN) ?? 0;
  assert.ok(
    unknown <= MAX_UNKNOWN * total,
    `${unknown} of ${total} lines are of a gateway that was not noted`,
  );
  const wanted = [...MESSAGES, 'plain', 'refused', 'of a process', 'of a test', ...OF_CONNECTIONS];
  seen.demand(t, wanted, { total, least: LEAST.lines });
});

test('replies of gateways are as the contract says', { skip }, (t) => {
  const seen = new Seen();
  let total = 0;
  for (const { text, gateway } of readTraffic<ReplyEntry>(DIRECTORY, 'reply')) {
    if (!text.endsWith('\n')) seen.faults.push(`gateway ${gateway} wrote no whole line: ${text}`);
    for (const line of text.split('\n').slice(0, -1)) {
      total++;
      const reply = JSON.parse(line) as { status?: string; code?: string };
      const fault = faultOf('reply', reply);
      if (fault !== undefined) seen.faults.push(`${line}\n    ${fault}`);
      seen.add(reply.status ?? '');
      if (reply.code !== undefined) seen.add(reply.code);
    }
  }
  seen.judge(t);
  const codes = [...CODE_NAMES, ...Object.keys(CLOSING_CODES)];
  seen.demand(t, [...Object.keys(REPLIES), ...codes], { total, least: LEAST.replies });
});

test('records in the topics of gateways are as the contract says', { skip }, (t) => {
  const seen = new Seen();
  const ofAlarms = new Set(readTraffic<TopicEntry>(DIRECTORY, 'topic').map(({ topic }) => topic));
  const entries = readTraffic<RecordEntry>(DIRECTORY, 'record');
  for (const topic of new Set(entries.map((entry) => entry.topic))) {
    const purposes = ofAlarms.has(topic) ? [{ kind: 'alarm' as const }] : purposesOf(topic);
    if (purposes.length === 0) {
      seen.add('of other topics');
      continue;
    }
    for (const record of entries.filter((entry) => entry.topic === topic)) {
      const faults = purposes.map(({ kind, facts }) => ({
        kind,
        fault: recordFault(record, kind, facts),
      }));
      const valid = faults.find(({ fault }) => fault === undefined);
      if (valid === undefined)
        seen.faults.push(
          `${topic}: ${record.value?.slice(0, 300)}\n    ${faults[0]?.kind}: ${faults[0]?.fault}`,
        );
      else seen.add(valid.kind);
    }
  }
  seen.judge(t);
  seen.demand(t, RECORD_KINDS, { total: entries.length, least: LEAST.records });
});
