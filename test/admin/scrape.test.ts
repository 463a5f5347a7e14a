// Real scrapes of a real gateway: the values are those of the events that the test causes.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { CLOSE_REASONS } from '../../src/protocol/close-reasons.ts';
import { Authority } from '../support/authority.ts';
import { Device, IDENTIFY, readings } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { gatewayFor } from '../support/gateway.ts';
import { runGateway } from '../support/gateway-process.ts';
import { byLabel, scrape } from '../support/scrape.ts';
import { waitFor } from '../support/wait.ts';

const READING = { type: 'metrics', data: { a: 1 } };

test('three stored replies are three values, and each lies between 0 and the time that the device waited', async (t) => {
  const gateway = await gatewayFor(t, { HTTP_PORT: '0' });
  const device = await Device.identified(gateway.port);
  const startMs = performance.now();
  for (const reading of readings(3)) {
    device.sendMessages(reading, READING);
    await device.readLine();
  }
  const waitedSeconds = (performance.now() - startMs) / 1000;
  const samples = await scrape(gateway.addresses.http?.port);
  const of = (series: string) => samples.get(series) ?? Number.NaN;
  // Lines without a seq are not told `stored`, and count in the queue only.
  assert.equal(of('sluice_line_to_stored_seconds_count'), 3);
  assert.equal(of('sluice_queue_wait_seconds_count'), 7);
  // KAFKA_BATCH_TIMEOUT is 10 ms.
  assert.ok(of('sluice_line_to_stored_seconds_sum') >= 0.02, `${of('sluice_line_to_stored_seconds_sum')} s`);
  assert.ok(of('sluice_line_to_stored_seconds_sum') <= waitedSeconds + 0.003);
  assert.ok(of('sluice_queue_wait_seconds_sum') <= of('sluice_line_to_stored_seconds_sum') + 0.1);
  assert.equal(of('sluice_line_to_stored_seconds_bucket{le="+Inf"}'), 3);
  assert.equal(of('sluice_line_to_stored_seconds_bucket{le="0.001"}'), 0);
  // Without Kafka each batch goes to the disk, and nothing is acknowledged.
  const syncs = of('sluice_spool_sync_seconds_count');
  assert.ok(syncs >= 3 && syncs <= 6, `${syncs} syncs`);
  assert.ok(of('sluice_spool_sync_seconds_sum') > 0);
  for (const name of [
    'line_to_kafka_seconds',
    'kafka_produce_seconds',
    'kafka_batch_records',
    'kafka_batch_bytes',
  ])
    assert.equal(of(`sluice_${name}_count`), 0, name);
  assert.equal(of('sluice_unaccounted_records'), 0);
  assert.equal(of('sluice_unaccounted_lines'), 0);
});

test('a scrape shows in which stage each connection is, and why each has ended', async (t) => {
  const certificate = new Authority(temporaryDirectory(t), 'authority').sign('gateway');
  const gateway = await gatewayFor(t, {
    HTTP_PORT: '0',
    TCP_PROXY_PROTOCOL: 'on',
    TCP_PROXY_TRUSTED: '127.0.0.9',
    TCP_TLS_PORT: '0',
    TCP_TLS_CERT: certificate.cert,
    TCP_TLS_KEY: certificate.key,
    TCP_MAX_CONNECTIONS_PER_IP: '2',
  });
  const port = gateway.addresses.tcp?.port ?? 0;
  const look = async (metric: string) => byLabel(await scrape(gateway.addresses.http?.port), metric);
  const plain = (localAddress: string) => Device.connect(port, { localAddress, tls: undefined });

  const identified = await plain('127.0.0.2');
  identified.send(IDENTIFY);
  await identified.readLine();
  await plain('127.0.0.2');
  const proxied = await plain('127.0.0.9');
  const raw = connect({ port: gateway.tlsPort, host: '127.0.0.1' });
  t.after(() => raw.destroy());
  const stages = await waitFor('five stages', async () => {
    const now = await look('sluice_connections_in_stage');
    return now.proxy === 1 && now.tls === 1 && now.identify === 1 && now.identified === 1 && now;
  });
  assert.deepEqual(stages, { proxy: 1, place: 0, tls: 1, identify: 1, identified: 1, lines: 0 });

  const third = await plain('127.0.0.2');
  assert.equal((await third.read()).code, 'server_full');
  proxied.send('no header\n');
  const nameless = await plain('127.0.0.3');
  nameless.sendMessages(READING);
  const polite = await plain('127.0.0.4');
  polite.halfClose();
  const rude = await plain('127.0.0.5');
  rude.send(IDENTIFY);
  await rude.readLine();
  rude.reset();
  raw.write('plain text\n');
  const expected = {
    server_full: 1,
    wrong_protocol: 1,
    not_identified: 1,
    device_end: 1,
    reset: 1,
    tls_required: 1,
  };
  const closed = await waitFor('six ends', async () => {
    const now = await look('sluice_connections_closed_total');
    return Object.values(now).reduce((total, count) => total + count, 0) >= 6 && now;
  });
  assert.deepEqual(
    Object.entries(closed)
      .filter(([, count]) => count > 0)
      .toSorted(),
    Object.entries(expected).toSorted(),
  );
  assert.deepEqual(Object.keys(closed), CLOSE_REASONS);
  await gateway.stop();
  assert.equal(gateway.snapshot().connections.closed.shutdown, 2);
});

test('bytes of replies are counted as the device reads them', async (t) => {
  const gateway = await gatewayFor(t, { HTTP_PORT: '0' });
  const device = await Device.connect(gateway.port);
  let bytes = 0;
  device.socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  device.send(IDENTIFY);
  device.send('{"type":"metrics","data":{"ä":"é"},"seq":"ö"}\n');
  device.sendMessages({ type: 'keepalive' });
  for (let reply = 0; reply < 3; reply++) await device.readLine();
  device.halfClose();
  await device.rest();
  const samples = await scrape(gateway.addresses.http?.port);
  assert.equal(samples.get('sluice_sent_bytes_total'), bytes);
});

test('with two processes, what each has adds up to the sums, at every moment, and nothing is unaccounted', async (t) => {
  const directory = temporaryDirectory(t);
  const gateway = await runGateway(t, directory, {
    TCP_PROCESSES: '2',
    KAFKA_BROKERS: '',
    SPOOL_DIR: join(directory, 'spool'),
  });
  const devices = await Promise.all(Array.from({ length: 8 }, () => Device.identified(gateway.port)));
  const sum = (values: Record<string, number>) =>
    Object.values(values).reduce((total, one) => total + one, 0);
  for (let round = 0; round < 5; round++) {
    for (const device of devices) device.sendMessages({ ...READING, seq: round }, READING);
    const samples = await scrape(gateway.httpPort);
    assert.equal(samples.get('sluice_unaccounted_records'), 0);
    assert.equal(samples.get('sluice_unaccounted_lines'), 0);
    assert.equal(
      sum(byLabel(samples, 'sluice_process_lines_received_total')),
      samples.get('sluice_lines_received_total'),
    );
  }
  await Promise.all(
    devices.map((device) => waitFor('five replies', async () => (await device.read()).seq === 4)),
  );
  const samples = await scrape(gateway.httpPort);
  assert.equal(samples.get('sluice_line_to_stored_seconds_count'), 40);
  assert.equal(samples.get('sluice_queue_wait_seconds_count'), 88);
  assert.deepEqual(byLabel(samples, 'sluice_process_up'), { 0: 1, 1: 1 });
  assert.equal(sum(byLabel(samples, 'sluice_process_connections')), 8);
  assert.deepEqual(Object.keys(byLabel(samples, 'sluice_process_cpu_seconds_total')), ['0', '1', 'first']);
  assert.ok((samples.get('sluice_event_loop_delay_seconds_count') ?? 0) > 0);
});
