// What senders that exist already can speak besides plain lines: TLS, and octet-counted frames. And what they cannot: `logger`
// by itself sends no JSON.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { makeCertificate } from '../../scripts/lib/certificate.ts';
import { configuration, type Place } from '../../scripts/senders/configurations.ts';
import {
  RSYSLOG_GTLS,
  RSYSLOG_OCTETS,
  type Running,
  SENDERS,
  type Sender,
  startIn,
} from '../../scripts/senders/senders.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { createTopic, kafkaTest, readTopic, uniqueTopic } from '../support/kafka.ts';
import { hasTools } from '../support/missing-tool.ts';

import { waitFor } from '../support/wait.ts';
import { presentTools } from './support.ts';

const RUN_MS = 20_000;

interface Stage {
  readonly directory: string;
  readonly gateway: GatewayProcess;
  readonly topic: string;
  readonly letters: string;
  readonly port: number;
}

async function stage(t: TestContext, bootstrap: string, env: Env = {}): Promise<Stage> {
  const directory = temporaryDirectory(t);
  const [topic, letters] = [uniqueTopic('senders'), uniqueTopic('senders.dead')];
  for (const name of [topic, letters]) await createTopic(bootstrap, name, { partitions: 1 });
  const port = await freePort();
  const gateway = await runGateway(t, directory, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_DEAD_LETTERS: letters,
    KAFKA_COMPRESSION: 'none',
    TCP_LINES_PORT: String(port),
    ...env,
  });
  return { directory, gateway, topic, letters, port };
}

/** Waits until the gateway has so many lines, accepted or refused. */
const received = ({ gateway }: Stage, lines: number, said: () => string) =>
  waitFor(
    `${lines} lines`,
    () => {
      const { accepted, refusedLines } = gateway.stats.lines;
      return accepted + refusedLines >= lines;
    },
    RUN_MS,
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${said()}\n${gateway.logTail()}`);
  });

async function begin(
  t: TestContext,
  directory: string,
  sender: Sender,
  start: (own: string) => Promise<Running>,
): Promise<Running> {
  const running = await startIn(directory, sender, start);
  t.after(() => running.stop());
  return running;
}

const valuesOf = async (bootstrap: string, topic: string, count: number): Promise<string[]> =>
  (await readTopic(bootstrap, topic, count)).map(({ value }) => value?.toString() ?? '');

kafkaTest('senders that know TLS send over it, and check the certificate', async ({ bootstrap }, t) => {
  const senders = [...SENDERS.filter(({ startTls }) => startTls !== undefined), RSYSLOG_GTLS];
  const tools = presentTools(t, senders);
  if (tools === undefined || !hasTools(t, 'openssl', 'keytool')) return;
  const directory = temporaryDirectory(t);
  const { certFile, keyFile } = await makeCertificate(directory);
  const trustStore = join(directory, 'sluice.p12');
  execFileSync(
    'keytool',
    [
      ...['-importcert', '-noprompt', '-alias', 'sluice', '-file', certFile],
      ...['-keystore', trustStore, '-storetype', 'PKCS12', '-storepass', 'changeit'],
    ],
    { stdio: 'ignore' },
  );
  const here = await stage(t, bootstrap, {
    TCP_LINES_TLS: 'true',
    TCP_TLS_CERT: certFile,
    TCP_TLS_KEY: keyFile,
  });
  const place: Place = { host: 'localhost', port: here.port, files: { ca: certFile, trustStore } };
  const all = await Promise.all(
    senders.map(async (sender) => {
      const running = await begin(t, here.directory, sender, (own) => {
        assert.ok(sender.startTls);
        return sender.startTls(tools, place, own);
      });
      return { sender, running };
    }),
  );
  const heard = new Set<string>();
  for (const { sender, running } of all) {
    const before = here.gateway.stats.lines.accepted;
    running.send(`over TLS from ${sender.name}`);
    await waitFor(
      `a line from ${sender.name}`,
      () => here.gateway.stats.lines.accepted > before,
      RUN_MS,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${running.said()}\n${here.gateway.logTail()}`);
    });
    heard.add(sender.name);
  }
  const values = await valuesOf(bootstrap, here.topic, here.gateway.stats.lines.accepted);
  for (const name of heard)
    assert.ok(
      values.some((value) => value.includes(`over TLS from ${name}`)),
      name,
    );
  assert.equal(here.gateway.stats.lines.refusedLines, 0);

  // A gateway with a certificate that nobody has signed for them.
  const other = await makeCertificate(temporaryDirectory(t));
  const stranger: Place = { ...place, files: { ca: other.certFile } };
  const before = here.gateway.stats.lines.accepted;
  for (const sender of senders.slice(0, 2)) {
    const running = await startIn(temporaryDirectory(t), sender, (own) => {
      assert.ok(sender.startTls);
      return sender.startTls(tools, stranger, own);
    });
    t.after(() => running.stop());
    running.send('for nobody');
    await waitFor(
      `${sender.name} refuses the certificate`,
      () => /certificate|verif/i.test(running.said()),
      RUN_MS,
    );
  }
  assert.equal(here.gateway.stats.lines.accepted, before);
});

kafkaTest("rsyslog's octet-counted frames arrive as its lines do", async ({ bootstrap }, t) => {
  const tools = presentTools(t, [RSYSLOG_OCTETS]);
  if (tools === undefined) return;
  const here = await stage(t, bootstrap, { TCP_LINES_FRAMING: 'octet-counted' });
  const place = { host: '127.0.0.1', port: here.port };
  const running = await begin(t, here.directory, RSYSLOG_OCTETS, (own) =>
    RSYSLOG_OCTETS.start(tools, place, own),
  );
  for (let number = 0; number < 3; number++) running.send(`counted ${number} "ü"`);
  await received(here, 3, () => running.said());
  const values = await valuesOf(bootstrap, here.topic, 3);
  const messages = values.map((value) => (JSON.parse(value) as { message: string }).message.trim());
  assert.deepEqual(messages, ['counted 0 "ü"', 'counted 1 "ü"', 'counted 2 "ü"']);
});

kafkaTest(
  'nc sends a whole file, also without a line feed at its end; logger by itself sends no JSON, so its line becomes a dead letter',
  async ({ bootstrap }, t) => {
    if (!hasTools(t, 'nc', 'logger')) return;
    const here = await stage(t, bootstrap);
    const input = join(here.directory, 'app.json');
    const lines = ['{"n":0}', '{ "n" : 1.50 }', '{"n":[2,{"deep":"ü"}]}'];
    writeFileSync(input, lines.join('\n'));
    const command = configuration('nc-file', { host: '127.0.0.1', port: here.port, files: { input } });
    const { status, stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: RUN_MS });
    assert.equal(status, 0);
    assert.equal(stdout, '', 'nothing is replied');

    const args = ['--server', '127.0.0.1', '--port', String(here.port), '--tcp', '--tag', 'app', '{"n":1}'];
    execFileSync('logger', args, { timeout: RUN_MS });
    await received(here, 4, () => '');
    assert.equal(here.gateway.stats.lines.refusedLines, 1);
    const [letter = ''] = await valuesOf(bootstrap, here.letters, 1);
    assert.match(letter, /^<13>.*\{"n":1\}$/);
    assert.deepEqual(await valuesOf(bootstrap, here.topic, 3), lines);
  },
);
