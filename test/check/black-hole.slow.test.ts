// `sluice check` where nothing answers: it ends within 20 s, whatever the network does, and says which step got no answer.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FrameSplitter, requestHead } from '../../scripts/kafka/frames.ts';
import { collect, type Run } from '../cli/spool-place.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { skipLoudly } from '../support/missing-tool.ts';
import { checkProgram, type Env, environmentFor, Findings } from './checking.ts';

const LIMIT_MS = 20_000;
const API_VERSIONS = 18;
const MAIN = new URL('../../src/main.js', import.meta.url).pathname;

/** Listens until the test ends. `answer` is called for each request. */
async function broker(t: TestContext, answer: (request: Buffer) => Buffer | undefined): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const requests = new FrameSplitter();
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      for (const request of requests.push(chunk)) {
        const bytes = answer(request);
        if (bytes !== undefined) socket.write(bytes);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers ApiVersions with Metadata 8 and nothing else, and then no request any more. */
function onlyVersions(request: Buffer): Buffer | undefined {
  const { apiKey, apiVersion, correlationId } = requestHead(request);
  if (apiKey !== API_VERSIONS) return undefined;
  const ranges = [
    [0, 3, 7],
    [3, 0, 8],
    [17, 0, 1],
    [18, 0, 2],
    [36, 0, 1],
  ];
  const body = Buffer.alloc(4 + 2 + 4 + 6 * ranges.length + (apiVersion > 0 ? 4 : 0));
  body.writeInt32BE(correlationId, 0);
  body.writeInt32BE(ranges.length, 6);
  for (const [index, number] of ranges.flat().entries()) body.writeInt16BE(number, 10 + 2 * index);
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length);
  return Buffer.concat([size, body]);
}

const LOGIN: Env = {
  KAFKA_SASL_MECHANISM: 'plain',
  KAFKA_SASL_USERNAME: 'u',
  KAFKA_SASL_PASSWORD: 'secret-enough',
};

async function timed(t: TestContext, env: Env): Promise<Findings> {
  const startMs = performance.now();
  const { findings, code } = await checkProgram(t, env);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < LIMIT_MS, `${tookMs} ms`);
  assert.equal(code, 1);
  return findings;
}

describe('sluice check before a black hole', { concurrency: true }, () => {
  it('ends in time if brokers accept connections and say nothing', async (t) => {
    const addresses = await Promise.all([1, 2, 3].map(() => broker(t, () => undefined)));
    const found = await timed(t, { KAFKA_BROKERS: addresses.join() });
    for (const address of addresses)
      found.expect(
        'error',
        'broker_unreachable',
        new RegExp(`${address}: no answer .* says nothing: .*Kafka 0\\.9`),
      );
    found.expect('note', 'topics_unknown', /could not be checked/);
  });

  it('ends in time if a broker says nothing after its versions, without a login and with one', async (t) => {
    const address = await broker(t, onlyVersions);
    const [without, during] = await Promise.all([
      timed(t, { KAFKA_BROKERS: address }),
      timed(t, { KAFKA_BROKERS: address, ...LOGIN }),
    ]);
    without.expect('error', 'broker_unusable', /did not answer Rights within|did not answer/);
    during.expect('error', 'broker_unusable', /no answer/);
    for (const found of [without, during]) found.expect('ok', 'broker_answers', new RegExp(address));
  });

  it('ends in time if packets vanish, to brokers and to the name service', async (t) => {
    const directory = temporaryDirectory(t);
    const resolver = join(directory, 'resolv.conf');
    writeFileSync(resolver, 'nameserver 203.0.113.9\nnameserver 203.0.113.10\n');
    const network = [
      'ip link set lo up',
      'ip link add black0 type veth peer name black1',
      'ip addr add 203.0.113.1/24 dev black0',
      'ip link set black0 up && ip link set black1 up',
      'ip neigh add 203.0.113.9 lladdr 02:00:00:00:00:09 dev black0 nud permanent',
      'ip route add default via 203.0.113.9',
      `mount --bind ${resolver} /etc/resolv.conf`,
    ].join(' && ');
    const inNetwork = (script: string, env: Env = {}): Promise<Run> =>
      collect(
        spawn('unshare', ['-n', '-m', 'sh', '-c', script], {
          cwd: directory,
          env: { PATH: process.env.PATH ?? '', ...env },
          timeout: 2 * LIMIT_MS,
        }),
      );
    const { code, err } = await inNetwork(network);
    if (code !== 0) {
      skipLoudly(t, `a network without answers is not permitted: ${err}`);
      return;
    }
    const KAFKA_BROKERS = 'kafka-1.example.com:9092,kafka-2.example.com:9092,203.0.113.9:9092';
    const startMs = performance.now();
    const { out } = await inNetwork(
      `${network} && exec ${process.execPath} ${MAIN} check --json`,
      environmentFor(t, { KAFKA_BROKERS }),
    );
    assert.ok(performance.now() - startMs < LIMIT_MS);
    const found = new Findings((JSON.parse(out) as { findings: Findings['all'] }).findings);
    found.expect('error', 'broker_unreachable', /kafka-1\.example\.com cannot be resolved \(ETIMEOUT\)/);
    found.expect('error', 'broker_unreachable', /203\.0\.113\.9:9092: no connection in time/);
  });
});
