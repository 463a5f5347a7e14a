// The comparison with peers: rsyslog as it is configured there, with a real Kafka, and the command with little load.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseComparison } from '../../bench/comparison/result.ts';
import { type Peer, PeerError } from '../../bench/peers/peer.ts';
import { type PeerOptions, PeerProcess } from '../../bench/peers/peer-process.ts';
import { installedPeer, PEERS } from '../../bench/peers/peers.ts';
import { registerCodecs } from '../../load/verification/codecs.ts';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { run } from '../../scripts/kafka/process.ts';
import { Tools } from '../../scripts/senders/tools.ts';
import { createTopic, kafkaTest, uniqueTopic } from '../support/kafka.ts';
import { skipWithoutTool } from '../support/missing-tool.ts';
import { waitFor } from '../support/wait.ts';

const BENCH = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
/** It takes half a minute on a quiet machine, most of it pauses. */
const TIMEOUT_MS = 240_000;
const LINES = Array.from(
  { length: 500 },
  (_, n) => `{"type":"metrics","data":{"n":${n},"text":"a % b \\"c\\""}}`,
);

/** The error if its program or its module for Kafka is missing. */
async function startedPeer(peer: Peer, options: PeerOptions): Promise<PeerProcess | PeerError> {
  try {
    return await PeerProcess.start(installedPeer(peer), options);
  } catch (error) {
    if (error instanceof PeerError) return error;
    throw error;
  }
}

/** As many values as there are lines. Not noted among the records of gateways, whose form the contracts judge. */
async function valuesOf(bootstrap: string, topic: string, t: TestContext): Promise<string[]> {
  registerCodecs();
  const consumer = kafkaClient(bootstrap, 5).consumer({ groupId: topic });
  t.after(() => consumer.disconnect());
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(String(message.value));
    },
  });
  await waitFor(`${LINES.length} lines`, () => values.length >= LINES.length);
  return values;
}

for (const peer of PEERS)
  kafkaTest(`${peer.name} puts every line into the topic as it is`, async ({ bootstrap }, t) => {
    const topic = uniqueTopic('peer');
    await createTopic(bootstrap, topic, { partitions: 2 });
    const options = { bootstrap, topic, lingerMs: 10, connections: 10 };
    const running = await startedPeer(peer, options);
    if (running instanceof PeerError) return skipWithoutTool(t, running.message);
    t.after(() => running.stop());
    const socket = connect({ host: '127.0.0.1', port: running.port });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(`${LINES.join('\n')}\n`);
    const values = await valuesOf(bootstrap, topic, t);
    assert.deepEqual(values.sort(), [...LINES].sort());
  });

kafkaTest(
  'the bench compares a peer with Sluice, counts every message and writes a file',
  async ({ bootstrap }, t) => {
    const peer = PEERS.find((one) => one.find(new Tools()) !== undefined);
    if (peer === undefined) return skipWithoutTool(t, 'no peer is there: bash scripts/senders/install.sh');
    const directory = mkdtempSync(join(tmpdir(), 'sluice-peers-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const json = join(directory, 'comparison.json');
    const short = ['--seconds', '0.1', '--warm-up', '0.1', '--connections', '5', '--peer-linger', '10'];
    const scenarios = ['--scenario', 'single', '--scenario', 'latency'];
    const args = ['--peer', peer.name, ...short, ...scenarios, '--json', json];
    const bench = await run(
      'env',
      [`KAFKA_BROKERS=${bootstrap}`, process.execPath, BENCH, ...args],
      TIMEOUT_MS,
    );
    assert.equal(bench.exitCode, 0, `${bench.stdout}${bench.stderr}`);
    const { contestants } = parseComparison(readFileSync(json, 'utf8'), json);
    assert.deepEqual(
      contestants.map(({ name }) => name),
      [`${peer.name}-10ms`, 'sluice', 'sluice-two', 'sluice-plain'],
    );
    for (const { name, turns, sent, lost, duplicated, afterStart } of contestants) {
      assert.deepEqual({ lost, duplicated }, { lost: 0, duplicated: 0 }, name);
      assert.ok(sent > 0 && afterStart.residentMiB > 1, name);
      assert.ok((turns.single?.[0]?.perSecond ?? 0) > 0, name);
      assert.ok((turns.latency?.[0]?.p99Ms ?? 0) > 0, name);
    }
  },
);
