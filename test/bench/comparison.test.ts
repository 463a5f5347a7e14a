// The options, the arithmetic and the page of the comparison with peers.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { contestants } from '../../bench/comparison/duels.ts';
import { comparisonSection } from '../../bench/comparison/page.ts';
import { type ComparisonFile, mediansOf, parseComparison, type Turn } from '../../bench/comparison/result.ts';
import { targetRows } from '../../bench/comparison/tables.ts';
import {
  COMPARISON_TARGETS,
  missedTargets,
  unproven,
  valuesOfTarget,
} from '../../bench/comparison/targets.ts';
import { PeerError } from '../../bench/peers/peer.ts';
import { installedPeer, installedPeers, PEERS } from '../../bench/peers/peers.ts';
import { BenchFileError } from '../../bench/report/results-file.ts';
import { sharedOnceKb } from '../../bench/servers/memory.ts';
import { run } from '../../scripts/kafka/process.ts';
import type { Tools } from '../../scripts/senders/tools.ts';

const BENCH = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
const NO_TOOLS = { rsyslog: undefined, syslogNg: undefined } as unknown as Tools;

const turn = (cpuUs: number, p99Ms?: number): Turn => ({
  messages: 1000,
  perSecond: 2000,
  cpuUs,
  ...(p99Ms !== undefined && { p50Ms: 5, p99Ms }),
});

const memory = { residentMiB: 60, sharedOnceMiB: 50 };

const contestant = (name: string, turns: Record<string, Turn[]>, lost = 0, duplicated = 0) => ({
  name,
  about: `about ${name}`,
  version: '1.2.3',
  afterStart: memory,
  afterLoad: memory,
  sent: 123_456,
  lost,
  duplicated,
  turns,
});

const file = (...all: ComparisonFile['contestants']): ComparisonFile => ({
  at: '2026-11-30T05:00:00.000Z',
  version: '0.1.0',
  kafka: 'Kafka 4.1.0',
  machine: { cpu: 'CPU', cores: 2, memoryGiB: 24, platform: 'linux', node: 'v20.20.2' },
  settings: { seconds: 2, turns: 3, connections: 100, warmUpSeconds: 12 },
  contestants: all,
});

describe('a comparison', () => {
  it('takes the ratio of a target turn by turn, so that a slow turn of both does not count', () => {
    const target = COMPARISON_TARGETS.find(({ against }) => against === 'rsyslog-100ms');
    assert.equal(target?.contestant, 'sluice');
    const slow = file(
      contestant('rsyslog-100ms', { latency: [turn(10, 100), turn(40, 100), turn(10, 100)] }),
      contestant('sluice', { latency: [turn(12, 10), turn(48, 10), turn(14, 10)] }),
    );
    assert.deepEqual(valuesOfTarget(slow, target), [1.2, 1.2, 1.4]);
    assert.deepEqual(missedTargets(slow), []);
    const worse = file(
      contestant('rsyslog-100ms', { latency: [turn(10, 100)] }),
      contestant('sluice', { latency: [turn(14, 26)] }),
    );
    assert.deepEqual(
      missedTargets(worse).map((text) => text.slice(0, 16)),
      ['latency, sluice:', 'latency, sluice:'],
    );
  });

  it('shows a target that was not measured, and does not miss it', () => {
    const none = file(contestant('rsyslog-10ms', { batch: [turn(3)] }));
    assert.deepEqual(missedTargets(none), []);
    assert.ok(targetRows(none).every(([, , measured]) => measured === 'not measured'));
  });

  it('fails if a message of Sluice is lost or comes twice, and only shows those of a peer', () => {
    const turns = { batch: [turn(3)] };
    const lossy = file(contestant('rsyslog-10ms', turns, 7, 8), contestant('sluice', turns, 1, 0));
    assert.deepEqual(unproven(lossy), ['sluice: 1 messages were lost, 0 came twice']);
    const page = comparisonSection(lossy);
    assert.match(page, /^\| rsyslog-10ms \| 1\.2\.3 \| 123,456 \| 7 \| 8 \|$/m);
  });

  it('writes a page with medians, versions and the configurations in full', () => {
    const page = comparisonSection(
      file(contestant('sluice', { batch: [turn(3), turn(1), turn(2)], latency: [turn(40, 20)] })),
    );
    assert.match(page, /^\| sluice \| 2,000 \(2,000-2,000\) \| 2\.00 \(1\.00-3\.00\) \|$/m);
    assert.match(page, /^\| sluice \| 2,000 \| 40\.00 \| 5\.0 \| 20\.0 \|$/m);
    for (const { name, packages } of PEERS) {
      assert.ok(page.includes(`### ${name}\n`));
      assert.ok(page.includes(packages));
    }
    for (const setting of [
      'request.required.acks=-1',
      'request.required.acks("-1")',
      'compression.codec("snappy")',
    ])
      assert.ok(page.includes(setting), setting);
  });

  it('has medians of its turns, and none without turns', () => {
    assert.equal(mediansOf([turn(3, 9), turn(1, 7), turn(2, 8)])?.p99Ms, 8);
    assert.equal(mediansOf([]), undefined);
    assert.equal(mediansOf(undefined), undefined);
  });

  it('reads only its own files', () => {
    const written = file(contestant('sluice', { batch: [turn(3)] }));
    assert.deepEqual(parseComparison(JSON.stringify(written), 'file'), written);
    for (const text of ['no JSON', '{}', JSON.stringify({ ...written, contestants: [{}] })])
      assert.throws(() => parseComparison(text, 'file'), BenchFileError);
  });
});

describe('the memory of a contestant', () => {
  it('counts a part of a file once that several of its processes map, and anonymous memory in each', () => {
    const smaps = (anonymousKb: number, codeKb: number) =>
      [
        '00400000-00500000 r-xp 00000000 08:01 42                         /usr/bin/node',
        `Rss:                ${codeKb} kB`,
        'Anonymous:             0 kB',
        'VmFlags: rd ex',
        '00600000-00700000 rw-p 00000000 00:00 0                          [heap]',
        `Rss:                ${anonymousKb} kB`,
        `Anonymous:          ${anonymousKb} kB`,
        '',
      ].join('\n');
    assert.equal(sharedOnceKb([smaps(100, 1000)]), 1100);
    assert.equal(sharedOnceKb([smaps(100, 1000), smaps(200, 900)]), 1300);
  });
});

describe('the contestants', () => {
  const installed = PEERS.map((peer) => ({
    peer,
    program: { command: 'x', args: [], env: {} },
    version: '1',
  }));
  const names = (nodes: readonly string[], lingersMs?: readonly number[]) =>
    contestants(installed, { nodes, ...(lingersMs && { lingersMs }) }).map(({ name }) => name);

  it('are each peer with each linger, and Sluice for devices and for plain lines', () => {
    assert.deepEqual(names([process.execPath]), [
      'rsyslog-10ms',
      'rsyslog-100ms',
      'syslog-ng-10ms',
      'syslog-ng-100ms',
      'sluice',
      'sluice-two',
      'sluice-plain',
    ]);
    assert.deepEqual(names([process.execPath], [5]).slice(0, 2), ['rsyslog-5ms', 'syslog-ng-5ms']);
  });

  it('are two more for each further Node', () => {
    const major = process.versions.node.split('.')[0];
    const further = names([process.execPath, process.execPath], [10]).slice(-2);
    assert.deepEqual(further, [`sluice-node${major}`, `sluice-two-node${major}`]);
  });

  it('need an installed peer, and the error says how to install it', () => {
    const rsyslog = PEERS[0];
    assert.ok(rsyslog);
    assert.throws(
      () => installedPeer(rsyslog, NO_TOOLS),
      (error: unknown) => {
        assert.ok(error instanceof PeerError);
        assert.match(error.message, /^rsyslog is not installed\..*apt-get install rsyslog rsyslog-kafka$/);
        return true;
      },
    );
    assert.throws(() => installedPeers(NO_TOOLS), /syslog-ng is not installed/);
  });

  it('are refused with a wrong name or scenario, before anything is measured', async () => {
    for (const [args, said] of [
      [['--peer', 'vektor'], /allowed: rsyslog, syslog-ng, installed/],
      [['--peer', 'rsyslog', '--scenario', 'memory'], /allowed: batch, single, steady, latency; not memory/],
      [['--peer', 'rsyslog', '--report', '--runs', '1'], /a report needs at least 5 runs/],
    ] as const) {
      const { exitCode, stderr } = await run(process.execPath, [BENCH, ...args], 30_000);
      assert.notEqual(exitCode, 0);
      assert.match(stderr, said);
    }
  });
});
