// A real Prometheus with the files of deploy/prometheus scrapes two real gateways and a real HAProxy. Only targets and
// times are others: seconds instead of minutes.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { ALERTS } from '../../scripts/monitoring/alerts/table.ts';
import { firing } from '../../scripts/monitoring/grafana-alerts.ts';
import { test } from '../e2e/stage.ts';
import { Authority } from '../support/authority.ts';
import { Device, IDENTIFY, readings } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { Haproxy, hasHaproxy } from '../support/haproxy.ts';
import { createTopic, uniqueTopic } from '../support/kafka.ts';
import { Prometheus, programOfPrometheus } from '../support/prometheus.ts';
import { waitFor } from '../support/wait.ts';
import { panelQueries, read, rules } from './files.ts';
import { parsePromql } from './promql.ts';

/** Each is replaced once or more; a file that lacks it is not the one that this test was written for. */
function replaced(text: string, changes: Readonly<Record<string, string>>): string {
  for (const [from, to] of Object.entries(changes)) {
    assert.ok(text.includes(from), `no ${from} in the file`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** The files of deploy/prometheus. @param targets of the job of gateways, and of that of HAProxy */
function quickFiles(targets: readonly string[], haproxy: string): Record<string, string> {
  const config = replaced(read('deploy/prometheus/prometheus.yml'), {
    'scrape_interval: 15s': 'scrape_interval: 1s',
    'evaluation_interval: 15s': 'evaluation_interval: 1s',
    '[sluice-1:9108, sluice-2:9108]': JSON.stringify(targets),
    '[haproxy:8404]': JSON.stringify([haproxy]),
  });
  const file = replaced(read('deploy/prometheus/rules.yml'), { '> 120': '> 2' });
  return { 'prometheus.yml': config, 'rules.yml': file.replace(/for: \d+[mh]/g, 'for: 1s') };
}

/** Every part that has figures is on. */
async function fullGateway(t: TestContext, bootstrap: string): Promise<GatewayProcess> {
  const topic = uniqueTopic('monitoring');
  const config = { 'message.timestamp.type': 'LogAppendTime' };
  await createTopic(bootstrap, topic, { partitions: 2, config });
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'authority');
  const { cert, key } = authority.sign('gateway');
  return await runGateway(t, directory, {
    TCP_PROCESSES: '2',
    TCP_TLS_PORT: '0',
    TCP_TLS_CERT: cert,
    TCP_TLS_KEY: key,
    TCP_LINES_PORT: '0',
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_PRESENCE: uniqueTopic('monitoring.presence'),
    KAFKA_TOPIC_DEAD_LETTERS: uniqueTopic('monitoring.dead'),
    SPOOL_DIR: join(directory, 'spool'),
  });
}

async function gatewayWithoutKafka(t: TestContext): Promise<GatewayProcess> {
  const directory = temporaryDirectory(t);
  return await runGateway(t, directory, {
    KAFKA_BROKERS: `127.0.0.1:${await freePort()}`,
    SPOOL_DIR: join(directory, 'spool'),
  });
}

const balancer = (port: number, gateways: readonly GatewayProcess[]) => `
frontend figures
  mode http
  bind 127.0.0.1:${port}
  http-request use-service prometheus-exporter if { path /metrics }
backend devices
${gateways.map(({ port: to }, index) => `  server sluice-${index + 1} 127.0.0.1:${to} check inter 500`).join('\n')}
`;

async function send(t: TestContext, { port }: GatewayProcess): Promise<void> {
  const device = await Device.connect(port);
  t.after(() => device.destroy());
  device.send(`${IDENTIFY}no json\n`);
  device.sendMessages(...readings(20));
}

test('Prometheus gets every figure that alerts and dashboard name, and an outage and a killed gateway fire', async (t, bootstrap) => {
  const program = programOfPrometheus(t, 'prometheus');
  if (program === undefined || !hasHaproxy(t)) return;
  const [full, alone] = [await fullGateway(t, bootstrap), await gatewayWithoutKafka(t)];
  const figures = await freePort();
  await Haproxy.start(t, balancer(figures, [full, alone]));
  const [first, second] = [full, alone].map(({ httpPort }) => `127.0.0.1:${httpPort}`);
  assert.ok(first !== undefined && second !== undefined);
  const prometheus = await Prometheus.start(t, program, quickFiles([first, second], `127.0.0.1:${figures}`));
  for (const gateway of [full, alone]) await send(t, gateway);

  const isFiring = (name: string, instance: string) =>
    waitFor(`${name} of ${instance} fires`, async () =>
      (await prometheus.alerts()).find(
        ({ labels, state }) =>
          labels.alertname === name && labels.instance === instance && state === 'firing',
      ),
    );
  const outage = await isFiring('SluiceOutage', second);
  assert.ok(outage.annotations.summary?.startsWith(`Records have waited in ${second}`));
  await isFiring('SluiceKafkaUnreachable', second);

  const expressions = [...rules(), ...panelQueries()].map(({ expr }) => expr);
  const named = new Set(expressions.flatMap((expr) => parsePromql(expr).metrics));
  assert.ok(named.size > 70, `${named.size} metrics`);
  const names = await waitFor('all figures are there', async () => {
    const known = await prometheus.names();
    return [...named].every((name) => known.has(name)) && known;
  }).catch(() => prometheus.names());
  assert.deepEqual(
    [...named].filter((name) => !names.has(name)),
    [],
    'metrics that no gateway has',
  );
  // Prometheus rejects a query that it cannot evaluate, such as one that joins series which do not match.
  const ofGrafana = ALERTS.map(({ name }) => firing(name));
  for (const expr of [...expressions, ...ofGrafana]) await prometheus.query(expr);
  const errors = await prometheus.ruleErrors();
  assert.deepEqual(errors, Object.fromEntries(ALERTS.map(({ name }) => [name, ''])));

  await full.kill();
  const { labels, annotations } = await isFiring('SluiceDown', first);
  assert.deepEqual([labels.job, labels.severity], ['sluice', 'page']);
  assert.ok(annotations.summary?.startsWith(`${first} gives no figures`));
  const alerts = await prometheus.alerts();
  const downs = alerts.filter(({ labels }) => labels.alertname === 'SluiceDown');
  assert.deepEqual(
    downs.map(({ labels }) => labels.instance),
    [first],
  );
  // The query of Grafana: it finds the gateway that is down, and no other.
  const asked = await waitFor('Grafana would see it', async () => {
    const samples = await prometheus.query(firing('SluiceDown'));
    return samples.length > 0 && samples;
  });
  assert.deepEqual(
    asked.map(({ metric, value: [, value] }) => ({ metric, value })),
    [{ metric: { instance: first, job: 'sluice', severity: 'page' }, value: '1' }],
  );
  assert.deepEqual(await prometheus.query(firing('SluiceUnaccounted')), []);

  await alone.kill();
  await isFiring('SluiceBalancerEmpty', `127.0.0.1:${figures}`);
});
