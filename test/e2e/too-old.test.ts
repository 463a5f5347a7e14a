// A broker that is too old for the versions of our requests: devices are served, and the log, /health and `sluice check`
// name the requests and the oldest Kafka that can be used. The broker is real if the Kafka of the run is such a one
// (npm run compatibility -- 0.10.2.2), and otherwise one that answers as Kafka 0.10.2 does.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { wantedVersion } from '../../scripts/kafka/runtime.ts';
import { check } from '../check/checking.ts';
import { rangesOf, ScriptedBroker } from '../kafka/client/scripted-broker.ts';
import { gatewayFor } from '../support/gateway.ts';
import { componentOf, stateOf } from '../support/health.ts';
import { sharedKafka } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { allStored, connectFleet, ledgerSize } from './fleet.ts';

const isReal = wantedVersion().isTooOld;

test(`the gateway and its check name what ${isReal ? 'this Kafka' : 'a broker like Kafka 0.10.2'} lacks`, async (t) => {
  const address = isReal ? (sharedKafka()?.bootstrap ?? '') : await scripted(t);
  const why = new RegExp(
    `the broker ${address} is too old: it speaks Metadata in the versions 0 to 2 \\(Sluice: 4 to 6\\), it speaks Produce in the versions 0 to 2 \\(Sluice: 3 to 7\\), it does not know the request InitProducerId \\(Sluice: 0 to 1\\); use Apache Kafka 0\\.11 or later`,
  );
  const gateway = await gatewayFor(t, { KAFKA_BROKERS: address, SHUTDOWN_TIMEOUT: '1s' });
  const fleet = await connectFleet(t, gateway, { devices: 3, zipcodes: 3 });
  for (const device of fleet) device.send(2);
  await allStored(fleet);
  await waitFor('health says why', () => stateOf(gateway.snapshot(), 'kafka') === 'failed unsupported');
  assert.match(componentOf(gateway.snapshot(), 'kafka')?.reason ?? '', why);
  assert.equal(gateway.snapshot().readiness.ready, true);
  assert.equal(gateway.snapshot().records.spooled, ledgerSize(fleet));
  const line = await waitFor('the log says why', () =>
    gateway.log.find(({ event }) => event === 'kafka_outage_began'),
  );
  assert.match(line.msg, why);
  assert.doesNotMatch(line.msg, /whether the brokers run/);

  const found = await check(t, { KAFKA_BROKERS: address });
  const finding = found.expect('error', 'broker_unsupported', why);
  assert.match(finding.why ?? '', /too old or too new/);
  assert.ok(!found.has('broker_unreachable'));
});

const scripted = async (t: TestContext) =>
  (await ScriptedBroker.start(t, { versions: rangesOf('0.10.2') })).address;
