// Devices that are cut again and again and resume, on a gateway of two processes, through a restart and an outage of Kafka:
// each message is in the topic once. RESUME_CUTS sets how often each device is cut.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../load/random.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { createTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { test } from './stage.ts';
import { TcpProxy } from './tcp-proxy.ts';

const CUTS = Number(process.env.RESUME_CUTS ?? 40);
const DEVICES = 4;
/** Takeovers of an open connection are limited. */
const SILENT_CUTS = 4;
const MESSAGES = 20;
const MAX_MS = 12;

interface Told {
  readonly status: string;
  readonly code?: string;
  readonly seq?: number;
  readonly stored_seq?: number | null;
}

/** A device that keeps its messages until they are stored, and loses its connection all the time. */
class CutDevice {
  readonly id: string;
  readonly answers = { known: 0, unknown: 0 };
  readonly refusals: string[] = [];
  sent = 0;
  #undecided: number[] = [];
  #silentCuts = 0;
  readonly #open: Socket[] = [];
  readonly #random: () => number;

  constructor(id: string, seed: number) {
    this.id = id;
    this.#random = seededRandom(seed);
  }

  get undecided(): number {
    return this.#undecided.length;
  }

  /** Sends new messages and those that are undecided, and cuts the connection at any point. */
  async cutOnce(port: number): Promise<void> {
    for (let n = this.#upTo(MESSAGES); n > 0; n--) this.#undecided.push(this.sent++);
    const waitsForAnswer = this.#random() < 0.5;
    const socket = await this.#connect(port, waitsForAnswer);
    if (socket === undefined) return;
    const text = this.#undecided.map((seq) => this.#line(seq)).join('');
    // Often in the middle of a line.
    if (this.#random() < 0.5) socket.write(text.slice(0, this.#upTo(text.length)));
    else socket.write(text);
    if (this.#random() < 0.7) await sleep(this.#upTo(MAX_MS));
    this.#cut(socket);
  }

  /** Sends the rest, and resolves when all is stored. */
  async finish(port: number): Promise<void> {
    const socket = await this.#connect(port, true);
    assert.ok(socket, `${this.id}: ${this.refusals.at(-1)}`);
    socket.write(this.#undecided.map((seq) => this.#line(seq)).join(''));
    await waitFor(`${this.id} has all stored`, () => this.undecided === 0, 30_000);
    socket.destroy();
    for (const one of this.#open) one.destroy();
  }

  async #connect(port: number, waitsForAnswer: boolean): Promise<Socket | undefined> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    let isAnswered = false;
    let rest = '';
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const told = JSON.parse(line) as Told;
        if (told.status === 'identified') isAnswered = true;
        this.#hear(told);
      }
    });
    const closed = once(socket, 'close').catch(() => undefined);
    await Promise.race([once(socket, 'connect').catch(() => undefined), closed]);
    socket.write(
      `${JSON.stringify({ type: 'identify', zipcode: this.id, city: 'x', device_id: this.id, resume: true })}\n`,
    );
    if (waitsForAnswer)
      await waitFor('the answer', () => isAnswered || socket.destroyed || socket.readableEnded);
    if (!waitsForAnswer || isAnswered) return socket;
    socket.destroy();
    return undefined;
  }

  #hear({ status, code, seq, stored_seq: storedSeq }: Told): void {
    if (status === 'error') this.refusals.push(`${code}`);
    if (storedSeq !== undefined) this.answers[storedSeq === null ? 'unknown' : 'known']++;
    const stored = (status === 'stored' ? seq : storedSeq) ?? -1;
    this.#undecided = this.#undecided.filter((one) => one > stored);
  }

  #cut(socket: Socket): void {
    const how = this.#upTo(4);
    if (how === 0) socket.destroy();
    else if (how === 1) socket.resetAndDestroy();
    else if (how === 2 || this.#silentCuts++ >= SILENT_CUTS) socket.end();
    // Nothing is heard of it any more, and the gateway does not know.
    if (how > 1) this.#open.push(socket);
    socket.removeAllListeners('data');
    socket.resume();
  }

  #line(seq: number): string {
    return `{"type":"metrics","seq":${seq},"data":{"n":${seq}}}\n`;
  }

  #upTo(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

async function restart(gateway: GatewayProcess): Promise<void> {
  gateway.signal('SIGTERM');
  assert.equal(await gateway.exited(), 0, gateway.logTail());
  await gateway.start();
}

async function cutAll(t: TestContext, bootstrap: string): Promise<void> {
  const topic = uniqueTopic('resume');
  await createTopic(bootstrap, topic, { partitions: 3 });
  const directory = temporaryDirectory(t);
  const proxy = await TcpProxy.reserve(bootstrap);
  t.after(() => proxy.close());
  await proxy.listen();
  const gateway = await runGateway(t, directory, {
    KAFKA_BROKERS: proxy.address,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_COMPRESSION: 'none',
    SPOOL_DIR: join(directory, 'spool'),
    TCP_PROCESSES: '2',
    SHUTDOWN_TIMEOUT: '5s',
  });
  const seed = Number(process.env.SLUICE_TEST_SEED ?? Date.now() % 1e9);
  t.diagnostic(`SLUICE_TEST_SEED=${seed}`);
  const devices = Array.from({ length: DEVICES }, (_, n) => new CutDevice(`truck-${n}`, seed + n));
  const all = (work: (device: CutDevice) => Promise<void>) => Promise.all(devices.map(work));
  const someCuts = () =>
    all(async (device) => {
      for (let cut = 0; cut < CUTS / 2; cut++) await device.cutOnce(gateway.port);
    });
  const startMs = performance.now();
  await someCuts();
  t.diagnostic(`half of the cuts took ${Math.round(performance.now() - startMs)} ms`);
  const before = devices.map(({ answers }) => answers.unknown);
  /** Written before the outage. */
  const inOrder = devices.map((device) => device.sent - device.undecided);
  // From its start on the gateway does not find Kafka, so the readings go to the disk.
  proxy.close();
  await restart(gateway);
  await someCuts();
  await proxy.listen();
  await all((device) => device.finish(gateway.port));

  const sent = devices.reduce((sum, device) => sum + device.sent, 0);
  const records = await readTopic(bootstrap, topic, sent, 30_000);
  for (const [n, device] of devices.entries()) {
    const seqs = records
      .map(({ value }) => JSON.parse(String(value)) as { device_id: string; seq: number })
      .filter(({ device_id: id }) => id === device.id)
      .map(({ seq }) => seq);
    const first = seqs.filter((seq) => seq < (inOrder[n] ?? 0));
    assert.deepEqual(
      first,
      [...first].sort((a, b) => a - b),
    );
    // From the disks of two processes there is no order between connections.
    assert.deepEqual(
      [...seqs].sort((a, b) => a - b),
      Array.from({ length: device.sent }, (_, seq) => seq),
      device.id,
    );
    assert.deepEqual(
      device.refusals.filter((code) => code !== 'replaced'),
      [],
    );
  }
  // The restart did not make a device unknown.
  assert.deepEqual(
    devices.map(({ answers }) => answers.unknown),
    before,
  );
  const known = devices.reduce((sum, { answers }) => sum + answers.known, 0);
  t.diagnostic(
    `${DEVICES * CUTS} cuts, ${sent} messages, ${known} answers with a seq, ${devices.flatMap(({ refusals }) => refusals).length} refusals`,
  );
}

test(
  'devices that are cut at any point and resume have each message in Kafka once, through a restart and an outage',
  cutAll,
);
