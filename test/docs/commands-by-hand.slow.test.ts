// The commands of the pages that need no Kafka, as a person types them one after the other (commands.ts).
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { migrate } from '../../examples/consumer/src/schema.ts';
import { hasTools } from '../support/missing-tool.ts';
import { hasPostgres, Postgres } from '../support/postgres.ts';
import { RUN } from './commands.ts';
import { parsePage, read } from './pages.ts';
import { Scene } from './scene.ts';

const WITHOUT_KAFKA = { KAFKA_BROKERS: '' };

test('the commands by hand do what the pages say', async (t) => {
  if (!hasTools(t, 'nc', 'curl', 'ss')) return;
  const scene = await Scene.begin(t, { env: WITHOUT_KAFKA });
  await scene.play(RUN['by-hand']);
});

test('the commands of operators do what the pages say', async (t) => {
  if (!hasTools(t, 'curl', 'jq')) return;
  const env = { HTTP_TOKEN: 'f00d'.repeat(12), HTTP_PROFILING: 'true', STATS_INTERVAL: '1s' };
  const scene = await Scene.begin(t, { env: { ...WITHOUT_KAFKA, ...env } });
  keepDevice(t, scene.port('8080'));
  await scene.play(RUN.operator);
  await scene.stop();
  await scene.play(RUN.stopped);
});

test('the commands that all ways of deployment share do what the pages say', async (t) => {
  if (!hasTools(t, 'nc', 'openssl')) return;
  const scene = await Scene.begin(t, { env: WITHOUT_KAFKA });
  await scene.play(RUN.deployment);
});

test('TLS, tokens, certificates of devices and HAProxy: the steps of the page work', async (t) => {
  if (!hasTools(t, 'nc', 'openssl')) return;
  const scene = await Scene.begin(t, { env: WITHOUT_KAFKA });
  await scene.play(RUN.tls);
  if (!hasTools(t, 'haproxy')) return;
  const page = parsePage(read('docs/quick-test-guide.md'));
  const { text: command } = page.fences.find(({ language }) => language === 'haproxy') ?? { text: '' };
  writeFileSync(join(scene.directory, 'checkout/data/haproxy.cfg'), `${scene.text({ command })}\n`);
  await scene.play(RUN.haproxy);
});

test('the commands that look at the machine are there', async (t) => {
  if (!hasTools(t, 'vmstat', 'findmnt')) return;
  const scene = await Scene.begin(t);
  await scene.play(RUN.machine);
});

test('the queries of the pages fit the tables of the example consumer', async (t) => {
  if (!hasPostgres(t) || !hasTools(t, 'psql')) return;
  const postgres = await Postgres.start(t);
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await migrate(client);
  await client.end();
  const scene = await Scene.begin(t, { env: { DATABASE_URL: postgres.url } });
  await scene.play(RUN.database);
});

/** A device `roof-14` that comes back whenever it is closed, and sends good lines and bad ones. */
function keepDevice(t: TestContext, port: number): void {
  let isOver = false;
  let seq = 0;
  const run = async (): Promise<void> => {
    while (!isOver) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {}).resume();
      socket.write('{"type":"identify","zipcode":"10370","city":"Delhi","device_id":"roof-14"}\n');
      const timer = setInterval(() => {
        if (isOver) socket.destroy();
        else socket.write(`{"type":"metrics","seq":${++seq},"data":{"temperature":20.9}}\n{"type":"met\n`);
      }, 100);
      await new Promise((resolve) => socket.once('close', resolve));
      clearInterval(timer);
      // Kicked, or there is no gateway yet.
      await new Promise((resolve) => setTimeout(resolve, 100));
      seq = 0;
    }
  };
  const running = run();
  t.after(async () => {
    isOver = true;
    await running;
  });
}
