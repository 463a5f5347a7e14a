// Presence records with a model cluster: their keys and tombstones, the merging of states without room, and that the last
// state of each device arrives through outages, stops and restarts.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Settings } from '../../src/config/settings.ts';
import { FileWatch } from '../../src/files/file-watch.ts';
import { recordParts } from '../../src/kafka/batches/record-body.ts';
import { gatewayTopics } from '../../src/kafka/topics/gateway-topics.ts';
import { sayLeftOver } from '../../src/presence/left-over.ts';
import { Presence } from '../../src/presence/presence.ts';
import type { PresenceState } from '../../src/protocol/presence-state.ts';
import { ModelCluster } from '../crash/model-cluster.ts';
import { settingsFor, until } from '../crash/scene.ts';
import { silent } from '../kafka/delivery/fakes.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { recordedLog } from '../support/log.ts';

const TOPIC = 'presence';
const AT = Date.UTC(2026, 10, 28, 12);
/** Makes records so large that a few thousand fill the memory. */
const LONG_ADDRESS = 'x'.repeat(1500);

interface Options {
  readonly cluster?: ModelCluster;
  readonly directory?: string;
  readonly settings?: Partial<Settings>;
  readonly stopSpoolMs?: number;
  /** The connections to Kafka are closed. */
  readonly onClose?: () => void;
}

async function start(t: TestContext, options: Options = {}) {
  const { cluster = new ModelCluster(), directory = temporaryDirectory(t), settings: changes } = options;
  const settings = settingsFor(directory, { KAFKA_TOPIC_PRESENCE: TOPIC, ...changes });
  const files = new FileWatch({ log: silent });
  const topic = settings.KAFKA_TOPIC_PRESENCE ?? TOPIC;
  // Enough on a busy machine too.
  const { stopSpoolMs = 30_000, onClose = () => undefined } = options;
  const client = Object.assign(cluster.asKafkaClient(), { close: onClose });
  const deps = { log: silent, files, cluster: client, stopSpoolMs };
  const presence = new Presence(settings, topic, deps);
  let stopped: Promise<void> | undefined;
  const stop = presence.stop.bind(presence);
  presence.stop = (leftMs) => {
    stopped ??= stop(leftMs);
    return stopped;
  };
  // A failed test does not keep its process alive.
  t.after(async () => {
    await presence.stop();
    files.stop();
  });
  /** Keys and values in the order in which they were appended. */
  const appended: { key: string; value: string }[] = [];
  const { batcher } = presence.pipeline;
  const original = batcher.appendRaw.bind(batcher);
  t.mock.method(batcher, 'appendRaw', (...[wanted, atMs, body]: Parameters<typeof original>) => {
    const { key, value } = recordParts(body);
    appended.push({ key: Buffer.from(key).toString(), value: value.toString() });
    return original(wanted, atMs, body);
  });
  await presence.start();
  return { presence, cluster, directory, appended, settings };
}

function stateOf(event: PresenceState['event'], n: number | string, more: Partial<PresenceState> = {}) {
  const state: PresenceState = {
    event,
    atMs: AT,
    connectionId: `connection-${n}`,
    remoteAddress: '192.0.2.7',
    ...more,
  };
  return state;
}

/** Makes a state that compression leaves long, so that memory is full after some thousands. */
const long = () => ({ remoteAddress: randomBytes(300).toString('base64') });

/** A device connects, identifies and leaves. */
function visit(presence: Presence, n: number | string, more: Partial<PresenceState> = {}): void {
  const device = { deviceId: `truck-${n}`, ...more };
  presence.note(stateOf('connected', n, more), false);
  presence.note(stateOf('identified', n, device), true);
  presence.note(stateOf('closed', n, { ...device, reason: 'inactive', seconds: 3600, lines: 2 }), true);
}

function assertBalanced({ figures }: Presence): void {
  const { noted, recovered, written, waiting, merged, dropped } = figures;
  assert.equal(written + waiting + merged + dropped, noted + recovered, JSON.stringify(figures));
}

/** The last state of each device in the order of arrival. */
function lastEvents(cluster: ModelCluster, topic = TOPIC): Map<string, string> {
  const last = new Map<string, string>();
  for (const { value } of cluster.arrivedIn(topic)) {
    if (value === '') continue;
    const { device_id: id, event } = JSON.parse(value) as { device_id?: string; event: string };
    if (id !== undefined) last.set(id, event);
  }
  return last;
}

test('the key is the connection until the device has its device_id, then the device_id, and nothing of the connection stays', async (t) => {
  const { presence, appended, cluster } = await start(t);
  visit(presence, 7);
  assert.deepEqual(
    appended.map(({ key, value }) => [key, value && JSON.parse(value).event]),
    [
      ['connection-7', 'connected'],
      ['truck-7', 'identified'],
      ['connection-7', ''],
      ['truck-7', 'closed'],
    ],
  );
  assert.equal(
    appended[3]?.value,
    '{"event":"closed","reason":"inactive","at":"2026-11-28T12:00:00.000Z","connection_id":"connection-7",' +
      '"device_id":"truck-7","remote_address":"192.0.2.7","seconds":3600,"lines":2}',
  );
  await until(() => presence.figures.written === 4, 'all are written');
  assert.equal(cluster.arrivedIn(TOPIC).length, 4);
  assertBalanced(presence);
  await presence.stop();
});

test('a connection without a device_id, or that has lost it, is told under its own id, and leaves a tombstone', async (t) => {
  const { presence, appended } = await start(t);
  presence.note(stateOf('connected', 1), false);
  presence.note(stateOf('identified', 1, { zipcode: '90210' }), false);
  presence.note(stateOf('closed', 1, { zipcode: '90210', reason: 'device_end' }), false);
  presence.note(stateOf('closed', 2, { deviceId: 'truck-2', reason: 'replaced' }), false);
  assert.deepEqual(
    appended.map(({ key, value }) => [key, value && JSON.parse(value).event]),
    [
      ['connection-1', 'connected'],
      ['connection-1', 'identified'],
      ['connection-1', 'closed'],
      ['connection-1', ''],
      ['connection-2', 'closed'],
      ['connection-2', ''],
    ],
  );
  await presence.stop();
});

test('in an outage states go to the disk, and the next start sends them before its own, in order', async (t) => {
  const cluster = new ModelCluster();
  const { presence, directory } = await start(t, { cluster });
  visit(presence, 1);
  await until(() => presence.figures.written === 4, 'Kafka takes records');
  cluster.isReachable = false;
  visit(presence, 2);
  presence.note(stateOf('identified', 3, { deviceId: 'truck-3' }), true);
  await presence.stop();
  assertBalanced(presence);
  assert.equal(presence.figures.waiting, 6);
  assert.ok(existsSync(join(directory, 'presence')));

  const next = await start(t, { cluster, directory });
  assert.equal(next.presence.figures.recovered, 6);
  assert.notEqual(next.presence.figures.problem, null);
  next.presence.note(stateOf('closed', 3, { deviceId: 'truck-3' }), true);
  cluster.isReachable = true;
  await until(() => next.presence.figures.written === 7, 'all are written');
  assert.equal(next.presence.figures.problem, null);
  assertBalanced(next.presence);
  assert.deepEqual(
    [...lastEvents(cluster)],
    [
      ['truck-1', 'closed'],
      ['truck-2', 'closed'],
      ['truck-3', 'closed'],
    ],
  );
  await next.presence.stop();
});

test('a stop without time left keeps on disk what a Kafka that hangs does not answer', async (t) => {
  const cluster = new ModelCluster();
  // As the client does, an end of the connection is the answer to each request that hangs.
  let close = () => {};
  const closed = new Promise<never>((_, reject) => {
    close = () => reject(new Error('closed'));
  });
  closed.catch(() => undefined);
  const { presence, directory } = await start(t, { cluster, onClose: () => close() });
  visit(presence, 1);
  await until(() => presence.figures.written === 4, 'Kafka takes records');
  cluster.fate = () => closed;
  visit(presence, 2);
  assert.equal(presence.figures.problem, null);
  await presence.stop(-1);
  cluster.fate = () => ({ kind: 'taken' });
  const next = await start(t, { cluster, directory });
  assert.equal(next.presence.figures.recovered, 4);
  await next.presence.stop();
});

test('a storm without room merges the states of a key, and the last state of each device arrives', async (t) => {
  const cluster = new ModelCluster();
  const { presence } = await start(t, { cluster });
  visit(presence, 'first');
  await until(() => presence.figures.written === 4, 'Kafka takes records');
  // Kafka answers nothing, so memory fills up before the disk takes over.
  let letGo: (() => void) | undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  cluster.fate = async () => {
    await gate;
    return { kind: 'taken' };
  };
  const devices = 2000;
  for (let n = 0; n < devices; n++) visit(presence, n, { remoteAddress: LONG_ADDRESS });
  for (let n = 0; n < devices; n++)
    presence.note(stateOf('identified', `again-${n}`, { deviceId: `truck-${n}` }), true);
  assert.ok(presence.figures.merged > 0, JSON.stringify(presence.figures));
  assert.equal(presence.figures.dropped, 0);
  assertBalanced(presence);
  letGo?.();
  await until(() => presence.figures.waiting === 0, 'all are written');
  assertBalanced(presence);
  const last = lastEvents(cluster);
  assert.equal(last.size, devices + 1);
  last.delete('truck-first');
  assert.deepEqual(new Set(last.values()), new Set(['identified']));
  await presence.stop();
});

test('a stop in the middle of a storm keeps what has no room yet on disk', async (t) => {
  const cluster = new ModelCluster();
  cluster.isReachable = false;
  const { presence, directory } = await start(t, { cluster });
  const devices = 1000;
  for (let n = 0; n < devices; n++) visit(presence, n, { remoteAddress: LONG_ADDRESS });
  await presence.stop();
  const { dropped, waiting } = presence.figures;
  assert.equal(dropped, 0);
  const next = await start(t, { cluster, directory });
  assert.equal(next.presence.figures.recovered, waiting);
  cluster.isReachable = true;
  await until(() => next.presence.figures.waiting === 0, 'all are written');
  const last = lastEvents(cluster);
  assert.equal(last.size, devices);
  assert.deepEqual(new Set(last.values()), new Set(['closed']));
  await next.presence.stop();
});

test('if neither Kafka nor the disk takes states, they are kept up to a number of keys, and further ones are dropped and counted', async (t) => {
  const cluster = new ModelCluster();
  cluster.isReachable = false;
  // The disk takes 1 KiB.
  const { presence } = await start(t, {
    cluster,
    settings: { SPOOL_DEAD_BYTES: 8 * 1024, TCP_MAX_CONNECTIONS: 1 },
    stopSpoolMs: 100,
  });
  let devices = 0;
  const before = performance.now();
  while (presence.figures.dropped === 0 && performance.now() - before < 20_000) {
    for (let n = 0; n < 1000; n++) visit(presence, devices++, { remoteAddress: LONG_ADDRESS });
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(presence.figures.dropped > 0);
  assert.ok(presence.figures.waiting > 10_000, `${presence.figures.waiting} states`);
  await until(() => presence.figures.blocked !== null, 'it is told');
  assertBalanced(presence);
  await presence.stop();
});

test('connections that come and go take no place for good while nothing takes states', async (t) => {
  const cluster = new ModelCluster();
  cluster.isReachable = false;
  // The disk takes 1 KiB.
  const settings = { SPOOL_DEAD_BYTES: 8 * 1024, TCP_MAX_CONNECTIONS: 1 };
  const { presence } = await start(t, { cluster, settings, stopSpoolMs: 100 });
  let visits = 0;
  const strangers = async (count: number) => {
    for (let n = 0; n < count; n++) {
      presence.note(stateOf('connected', ++visits, long()), false);
      presence.note(stateOf('closed', visits, { reason: 'wrong_protocol', ...long() }), false);
      if (n % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await strangers(13_000);
  visit(presence, 'late');
  await strangers(500);
  const { dropped, merged } = presence.figures;
  assertBalanced(presence);
  await presence.stop();
  assert.ok(merged > 0);
  assert.equal(dropped, 0);
});

test('states that wait for a former topic of presence are sent to it', async (t) => {
  const cluster = new ModelCluster();
  cluster.isReachable = false;
  const first = await start(t, { cluster, settings: { KAFKA_TOPIC_PRESENCE: 'former' } });
  visit(first.presence, 1);
  await first.presence.stop();
  const { presence } = await start(t, { cluster, directory: first.directory });
  assert.equal(presence.figures.waiting, 4);
  cluster.isReachable = true;
  await until(() => presence.figures.written === 4, 'all are written');
  assert.equal(lastEvents(cluster, 'former').get('truck-1'), 'closed');
  assertBalanced(presence);
  await presence.stop();
});

test('a start without the topic says that records of an earlier run are on disk, and says nothing if there are none', async (t) => {
  const { log, lines } = recordedLog();
  const cluster = new ModelCluster();
  const sent = await start(t, { cluster });
  await sayLeftOver(temporaryDirectory(t), log);
  visit(sent.presence, 1);
  await until(() => sent.presence.figures.written === 4, 'all are written');
  await sent.presence.stop();
  await sayLeftOver(sent.directory, log);
  assert.deepEqual(lines, []);
  cluster.isReachable = false;
  const kept = await start(t, { cluster });
  visit(kept.presence, 2);
  await kept.presence.stop();
  await sayLeftOver(kept.directory, log);
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['presence_left'],
  );
});

test('the gateway creates the topic compacted, and only if it is set', (t) => {
  const directory = temporaryDirectory(t);
  const named = gatewayTopics(settingsFor(directory, { KAFKA_TOPIC_PRESENCE: TOPIC }));
  assert.deepEqual(named.find(({ topic }) => topic === TOPIC)?.config, { 'cleanup.policy': 'compact' });
  const unset = settingsFor(directory);
  assert.equal(unset.KAFKA_TOPIC_PRESENCE, null);
  const files = new FileWatch({ log: silent });
  assert.equal(Presence.of(unset, { log: silent, files }), undefined);
  assert.equal(gatewayTopics(unset).length, 3);
  files.stop();
});
