// Figures pushed by OTLP to a receiver that decodes them.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { METRICS } from '../../src/admin/metrics.ts';
import { countOf } from '../../src/measure/histogram.ts';
import { Device, readings } from '../support/device.ts';
import { startGateway } from '../support/gateway.ts';
import { OtlpReceiver } from '../support/otlp-receiver.ts';
import { messagesIn } from '../support/protobuf.ts';
import { waitFor } from '../support/wait.ts';

const INTERVAL = { OTEL_METRIC_EXPORT_INTERVAL: '100', OTEL_EXPORTER_OTLP_TIMEOUT: '300' };

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}

interface Point {
  readonly attributes: readonly Attribute[];
  readonly asDouble?: number;
  readonly count?: string | number;
  readonly sum?: number;
  readonly bucketCounts?: readonly (string | number)[];
  readonly explicitBounds?: readonly number[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
}

interface JsonMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly sum?: {
    readonly dataPoints: Point[];
    readonly isMonotonic: boolean;
    readonly aggregationTemporality: number;
  };
  readonly gauge?: { readonly dataPoints: Point[] };
  readonly histogram?: { readonly dataPoints: Point[]; readonly aggregationTemporality: number };
}

interface JsonRequest {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeMetrics: readonly { readonly metrics: readonly JsonMetric[] }[];
  }[];
}

async function pushing(t: TestContext, env: Readonly<Record<string, string>>) {
  const gateway = await startGateway({ ...INTERVAL, ...env });
  t.after(() => gateway.stop());
  return gateway;
}

const said = (log: readonly { readonly msg: string }[], pattern: RegExp) =>
  log.filter(({ msg }) => pattern.test(msg)).length;

test('as JSON, every metric is pushed with the names, labels and values of the snapshot', async (t) => {
  const receiver = await OtlpReceiver.start(t);
  const gateway = await pushing(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/otlp/`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20eDp5,x-tenant=roofs',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_SERVICE_NAME: 'weather',
  });
  const device = await Device.identified(gateway.port);
  device.sendMessages(...readings(3));
  await waitFor('three lines are stored', () => countOf(gateway.snapshot().lines.toStoredSeconds) === 3);
  const { path, headers, body } = await receiver.next();
  assert.deepEqual(
    [path, headers['content-type'], headers.authorization, headers['x-tenant']],
    ['/otlp/v1/metrics', 'application/json', 'Basic eDp5', 'roofs'],
  );
  const [pushed] = (JSON.parse(body.toString()) as JsonRequest).resourceMetrics;
  assert.ok(pushed);
  const attributes = Object.fromEntries(
    pushed.resource.attributes.map(({ key, value }) => [key, value.stringValue]),
  );
  assert.equal(attributes['service.name'], 'weather');
  assert.equal(attributes['service.version'], 'test');
  assert.equal(attributes['deployment.environment.name'], 'test');
  assert.ok(attributes['service.instance.id']);

  const metrics = new Map(pushed.scopeMetrics[0]?.metrics.map((metric) => [metric.name, metric]));
  assert.deepEqual(
    [...metrics.keys()],
    METRICS.map(({ name }) => name),
  );
  for (const { name, type, help } of METRICS) {
    const metric = metrics.get(name);
    assert.equal(metric?.description, help);
    const kind = type === 'counter' ? 'sum' : type;
    assert.ok(metric?.[kind], `${name} is a ${kind}`);
  }
  const accepted = metrics.get('sluice_lines_accepted_total');
  assert.deepEqual([accepted?.sum?.isMonotonic, accepted?.sum?.aggregationTemporality], [true, 2]);
  assert.equal(accepted?.sum?.dataPoints[0]?.asDouble, 4);
  const stages = metrics.get('sluice_connections_in_stage')?.gauge?.dataPoints ?? [];
  const byStage = stages.map(({ attributes: [label], asDouble }) => [
    label?.key,
    label?.value.stringValue,
    asDouble,
  ]);
  assert.deepEqual(byStage.at(-2), ['stage', 'identified', 1]);
  const stored = metrics.get('sluice_line_to_stored_seconds');
  const [point] = stored?.histogram?.dataPoints ?? [];
  assert.deepEqual(
    [stored?.unit, Number(point?.count), stored?.histogram?.aggregationTemporality],
    ['s', 3, 2],
  );
  const { bounds, counts, sum } = gateway.snapshot().lines.toStoredSeconds;
  assert.deepEqual(point?.bucketCounts?.map(Number), counts);
  assert.deepEqual([point?.explicitBounds, point?.sum], [bounds, sum]);
  assert.ok(BigInt(point?.startTimeUnixNano ?? 0) < BigInt(point?.timeUnixNano ?? 0));
  assert.equal(metrics.get('sluice_received_bytes_total')?.unit, 'By');
  assert.equal(said(gateway.log, /authorization|eDp5/), 0);
});

test('as protobuf, which is the default, a receiver finds the same metrics', async (t) => {
  const receiver = await OtlpReceiver.start(t);
  const gateway = await pushing(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${receiver.url}/as/it/is`,
  });
  const device = await Device.identified(gateway.port);
  device.sendMessages(...readings(2));
  await waitFor('two lines are stored', () => countOf(gateway.snapshot().lines.toStoredSeconds) === 2);
  const { path, headers, body } = await receiver.next();
  assert.deepEqual([path, headers['content-type']], ['/as/it/is', 'application/x-protobuf']);
  // Field numbers of opentelemetry/proto/metrics/v1/metrics.proto.
  const [resourceMetrics] = messagesIn(body, 1);
  const [scopeMetrics] = messagesIn(resourceMetrics ?? Buffer.alloc(0), 2);
  const metrics = new Map(
    messagesIn(scopeMetrics ?? Buffer.alloc(0), 2).map((metric) => [
      messagesIn(metric, 1)[0]?.toString(),
      metric,
    ]),
  );
  assert.deepEqual(
    [...metrics.keys()],
    METRICS.map(({ name }) => name),
  );
  const [histogram] = messagesIn(metrics.get('sluice_line_to_stored_seconds') ?? Buffer.alloc(0), 9);
  const [point] = messagesIn(histogram ?? Buffer.alloc(0), 1);
  const [count, buckets] = [4, 6].map((field) => messagesIn(point ?? Buffer.alloc(0), field)[0]);
  assert.ok(count && buckets);
  assert.equal(count.readBigUInt64LE(0), 2n);
  const counts = Array.from({ length: buckets.length / 8 }, (_, n) => Number(buckets.readBigUInt64LE(8 * n)));
  assert.deepEqual(counts, gateway.snapshot().lines.toStoredSeconds.counts);
});

test('a receiver that fails in any way costs one line in the log until it is back, and the gateway goes on', async (t) => {
  const receiver = await OtlpReceiver.start(t);
  const gateway = await pushing(t, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  const failures = () => said(gateway.log, /cannot be pushed/);
  const returns = () => said(gateway.log, /by OTLP again/);
  await receiver.next();
  assert.equal(failures(), 0);
  for (const answer of [
    { status: 500, body: 'no' },
    { status: 429, body: 'later' },
    { status: 503, body: '' },
    { status: 401, body: 'who are you' },
    { status: 302, body: '' },
    'none',
  ] as const) {
    receiver.answer = answer;
    await receiver.next();
  }
  assert.equal(failures(), 1);
  const device = await Device.identified(gateway.port);
  device.sendMessages(...readings(1));
  await device.readLine();
  // An answer that is no protobuf counts as taken: its status says so.
  receiver.answer = { status: 200, body: '\\xff\\xff rubbish' };
  await waitFor('the receiver is back', () => returns() === 1);
  assert.deepEqual([failures(), returns()], [1, 1]);
});

test('a stop waits neither for a receiver that hangs nor for one that is away', async (t) => {
  const receiver = await OtlpReceiver.start(t);
  receiver.answer = 'none';
  const slow = { OTEL_EXPORTER_OTLP_TIMEOUT: '2000' };
  const hanging = await pushing(t, { ...slow, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  const away = await pushing(t, { ...slow, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  await waitFor('a push', () => receiver.pushes.length > 0);
  const startMs = performance.now();
  await Promise.all([hanging.stop(), away.stop()]);
  assert.ok(performance.now() - startMs < 1500, `${performance.now() - startMs} ms`);
});

test('the last figures are pushed at the stop', async (t) => {
  const receiver = await OtlpReceiver.start(t);
  const gateway = await pushing(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_METRIC_EXPORT_INTERVAL: '3600000',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  });
  const device = await Device.identified(gateway.port);
  device.sendMessages(...readings(1));
  await device.readLine();
  assert.equal(receiver.pushes.length, 0);
  await gateway.stop();
  assert.equal(receiver.pushes.length, 1);
  const body = receiver.pushes[0]?.body.toString() ?? '';
  const metrics = (JSON.parse(body) as JsonRequest).resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
  const closed =
    metrics.find(({ name }) => name === 'sluice_connections_closed_total')?.sum?.dataPoints ?? [];
  const ended = closed
    .filter(({ asDouble }) => asDouble === 1)
    .map(({ attributes: [label] }) => label?.value.stringValue);
  assert.deepEqual(ended, ['shutdown']);
});
