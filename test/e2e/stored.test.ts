// `stored` is never written to a device's socket before it is true. The built gateway runs under strace, and the test
// compares the order of its system calls with what the devices sent.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { answeredId, FrameSplitter, PRODUCE, requestHead } from '../../scripts/kafka/frames.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { childrenOf } from '../../scripts/lib/proc.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { canTrace, readTrace, straceCommand, type TracedCall, type TraceEvent } from '../support/trace.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, disconnect, type FleetDevice } from './fleet.ts';
import { assertDelivered, test } from './stage.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const CALLS = ['read', 'write', 'writev', 'pwrite64', 'pwritev', 'fdatasync', 'fsync'];
const DEVICES = 8;
const ROUNDS = 12;
/** Long, because a traced process is several times slower. */
const DEADLINE_MS = 60_000;
const PARTITIONS = 3;

it('without Kafka a device hears `stored` only after the sync of the segment that holds its reading', {
  timeout: 2 * DEADLINE_MS,
}, async (t) => {
  if (!canTrace(t)) return;
  const brokerPort = await freePort();
  const { events, fleet, port } = await traced(t, { topic: uniqueTopic('stored'), brokerPort });
  const ports = { port, brokerPort };
  const verdict = judge(events, fleet, ports);
  assert.deepEqual(verdict.tooEarly, []);
  assert.equal(verdict.told, fleet.length * ROUNDS * 3);
  assert.ok(verdict.syncs > 0 && verdict.answers === 0, JSON.stringify(verdict));
  // Check the judge itself: without the syncs it must find every `stored` too early.
  const withoutSyncs = events.filter(({ call }) => !isSync(call));
  assert.notDeepEqual(judge(withoutSyncs, fleet, ports).tooEarly, []);
  t.diagnostic(`${verdict.told} messages told stored in ${verdict.replies} replies, ${verdict.syncs} syncs`);
});

test('with Kafka a device hears `stored` only after the answer to the request that holds its reading was read', async (t, bootstrap) => {
  if (!canTrace(t)) return;
  const topic = uniqueTopic('stored');
  await createTopic(bootstrap, topic, { partitions: PARTITIONS });
  const brokerPort = Number(bootstrap.split(',')[0]?.split(':').at(-1));
  const { events, fleet, port } = await traced(t, { topic, brokerPort, isReady: true });
  const ports = { port, brokerPort };
  const verdict = judge(events, fleet, ports);
  assert.deepEqual(verdict.tooEarly, []);
  assert.equal(verdict.told, fleet.length * ROUNDS * 3);
  assert.ok(verdict.answers > 0 && verdict.syncs === 0, JSON.stringify(verdict));
  // The answers were true: all readings are in Kafka, once.
  await assertDelivered(bootstrap, topic, { fleet, partitions: PARTITIONS });
  const withoutAnswers = events.filter(({ call }) => !(call.name === 'read' && isOf(call, brokerPort)));
  assert.notDeepEqual(judge(withoutAnswers, fleet, ports).tooEarly, []);
  t.diagnostic(
    `${verdict.told} messages told stored in ${verdict.replies} replies, ${verdict.answers} answers`,
  );
});

interface Run {
  readonly events: readonly TraceEvent[];
  readonly fleet: readonly FleetDevice[];
  readonly port: number;
}

/** Runs the gateway under strace until every message of a small fleet is stored and the gateway has stopped. */
async function traced(
  t: TestContext,
  { topic, brokerPort, isReady = false }: { topic: string; brokerPort: number; isReady?: boolean },
): Promise<Run> {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'trace');
  const [command = '', ...args] = straceCommand(file, CALLS);
  const [port, httpPort] = [await freePort(), await freePort()];
  const child = spawn(command, [...args, process.execPath, MAIN, 'serve'], {
    cwd: directory,
    env: {
      PATH: process.env.PATH ?? '',
      TCP_HOST: '127.0.0.1',
      TCP_PORT: String(port),
      TCP_PROCESSES: '1',
      HTTP_PORT: String(httpPort),
      HTTP_READY_REQUIRES: 'kafka',
      KAFKA_BROKERS: `127.0.0.1:${brokerPort}`,
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_TOPIC_DEAD_LETTERS: '',
      // The judge cannot decompress records.
      KAFKA_COMPRESSION: 'none',
      LOG_FORMAT: 'json',
      STATS_INTERVAL: '0',
      SHUTDOWN_TIMEOUT: '5s',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.after(() => {
    if (child.exitCode !== null || child.pid === undefined) return;
    // Kill the gateway itself: it would go on running without strace.
    for (const pid of childrenOf(child.pid)) process.kill(pid, 'SIGKILL');
  });
  const listens = () => out.includes('TCP server listening');
  await waitFor('the gateway listens', () => listens() || child.exitCode !== null, DEADLINE_MS);
  assert.ok(listens(), out);
  const [gateway] = childrenOf(child.pid ?? 0);
  assert.ok(gateway !== undefined);
  t.after(onParentDeath(['kill', '-9', String(gateway)]));
  if (isReady) await waitFor('Kafka takes records', () => readyz(httpPort), DEADLINE_MS);

  const fleet = await connectFleet(t, { port }, { devices: DEVICES, zipcodes: 5 });
  for (let round = 0; round < ROUNDS; round++) {
    for (const device of fleet) device.sendShaped([1, 3, 1]);
    await allStored(fleet, DEADLINE_MS);
  }
  disconnect(fleet);
  process.kill(gateway, 'SIGTERM');
  assert.equal(await ended, 0, out);
  return { events: readTrace(file), fleet, port };
}

async function readyz(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
  return response?.status === 200;
}

interface Verdict {
  /** Each `stored` that was written before the reading was safe. */
  readonly tooEarly: readonly string[];
  /** Messages that were covered by a `stored`. */
  readonly told: number;
  readonly replies: number;
  readonly syncs: number;
  readonly answers: number;
}

const isSync = ({ name }: TracedCall) => name === 'fdatasync' || name === 'fsync';
const isOf = ({ remotePort }: TracedCall, brokerPort: number) => remotePort === brokerPort;
const isWrite = ({ name }: TracedCall) => /^p?write(v|64)?$/.test(name);
const isSegment = ({ path }: TracedCall) => path.endsWith('.log');
const RECORD = /"device_id":"([^"]+)","seq":(\d+),"data":\{[^}]*"i":(\d+)\}/g;

/** The readings in uncompressed batches of Kafka's format. */
const readingsIn = (bytes: Buffer): string[] =>
  Array.from(bytes.toString('latin1').matchAll(RECORD), ([, device, seq, i]) => `${device} ${seq}.${i}`);

/** Follows the system calls: which readings are safe at each moment, and what devices are told. */
function judge(
  events: readonly TraceEvent[],
  fleet: readonly FleetDevice[],
  { port, brokerPort }: { port: number; brokerPort: number },
): Verdict {
  const safe = new Set<string>();
  const disk = new Disk(safe);
  const brokers = new Map<number, BrokerSocket>();
  const devices = new Map<number, FleetDevice>();
  const told = new Map<FleetDevice, number>();
  const tooEarly: string[] = [];
  let [replies, answers] = [0, 0];
  for (const { phase, call } of events) {
    if (isSegment(call)) disk.on(phase, call);
    else if (isOf(call, brokerPort) && phase === 'end') {
      const socket = brokers.get(call.localPort) ?? new BrokerSocket(safe);
      brokers.set(call.localPort, socket);
      answers += socket.on(call);
    } else if (call.localPort === port && call.name === 'read' && phase === 'end') {
      const [, id] = /"type":"identify".*"device_id":"([^"]+)"/.exec(call.bytes.toString()) ?? [];
      const device = fleet.find(({ deviceId }) => deviceId === id);
      if (device !== undefined) devices.set(call.remotePort, device);
    } else if (call.localPort === port && isWrite(call) && phase === 'begin') {
      const device = devices.get(call.remotePort);
      for (const [, seq] of call.bytes.toString().matchAll(/"status":"stored","seq":(\d+)/g)) {
        replies++;
        assert.ok(device);
        told.set(device, Number(seq));
        tooEarly.push(...unsafe(device, Number(seq), safe));
      }
    }
  }
  const sum = [...told.values()].reduce((total, seq) => total + seq, 0);
  return { tooEarly, told: sum, replies, syncs: disk.syncs, answers };
}

/** The readings that a `stored` covers although they are not safe. */
function unsafe({ deviceId, ledger }: FleetDevice, stored: number, safe: ReadonlySet<string>): string[] {
  const claimed = ledger.filter(({ seq }) => seq <= stored);
  const keys = claimed.map(({ seq, data }) => `${deviceId} ${seq}.${/"i":(\d+)/.exec(data)?.[1]}`);
  return keys
    .filter((key) => !safe.has(key))
    .map((key) => `${deviceId} was told that ${stored} is stored, and ${key} was not safe`);
}

/** A sync makes the readings safe that were written before it began, once it has returned. */
class Disk {
  syncs = 0;
  readonly #safe: Set<string>;
  readonly #written = new Map<string, string[]>();
  readonly #covered = new Map<string, string[]>();

  constructor(safe: Set<string>) {
    this.#safe = safe;
  }

  on(phase: TraceEvent['phase'], call: TracedCall): void {
    const { path, bytes, result = -1 } = call;
    const written = this.#written.get(path) ?? [];
    this.#written.set(path, written);
    if (isWrite(call) && phase === 'end') written.push(...readingsIn(bytes));
    if (!isSync(call)) return;
    if (phase === 'begin') this.#covered.set(path, [...written]);
    else if (result >= 0) {
      this.syncs++;
      for (const key of this.#covered.get(path) ?? []) this.#safe.add(key);
    }
  }
}

/** One connection to the broker. An answer makes readings safe once all of its bytes were read. */
class BrokerSocket {
  readonly #safe: Set<string>;
  readonly #requests = new FrameSplitter();
  readonly #answers = new FrameSplitter();
  readonly #asked = new Map<number, string[]>();

  constructor(safe: Set<string>) {
    this.#safe = safe;
  }

  /** @returns the number of answers to Produce requests that this call completed */
  on(call: TracedCall): number {
    if (isWrite(call)) {
      for (const frame of this.#requests.push(call.bytes)) {
        const { apiKey, correlationId } = requestHead(frame);
        if (apiKey === PRODUCE) this.#asked.set(correlationId, readingsIn(frame));
      }
      return 0;
    }
    let answers = 0;
    for (const frame of this.#answers.push(call.bytes)) {
      const keys = this.#asked.get(answeredId(frame));
      if (keys === undefined) continue;
      answers++;
      for (const key of keys) this.#safe.add(key);
    }
    return answers;
  }
}
