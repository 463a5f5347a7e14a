// The set-up of most tests with a real Kafka: a gateway in the test's process, waits for its figures, and the check of the
// records.
import type { TestContext } from 'node:test';
import { type Env, type Gateway, gatewayFor } from '../support/gateway.ts';
import { kafkaTakes } from '../support/health.ts';
import { kafkaTest, readTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';
import { assertLedger, type FleetDevice, ledgerSize } from './fleet.ts';

/** Registers a test that needs the Kafka of this run. */
export function test(name: string, body: (t: TestContext, bootstrap: string) => Promise<void>): void {
  kafkaTest(name, ({ bootstrap }, t) => body(t, bootstrap));
}

/** A gateway for a topic of this Kafka. Its batches are not compressed, because kafkajs cannot read every codec. */
export const kafkaGateway = (t: TestContext, bootstrap: string, topic: string, env: Env = {}) =>
  gatewayFor(t, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_COMPRESSION: 'none',
    SHUTDOWN_TIMEOUT: '10s',
    ...env,
  });

export const isReady = (gateway: Gateway) =>
  waitFor('Kafka takes records', () => kafkaTakes(gateway.snapshot()));

/** `stored` may mean that readings are on disk. This resolves when Kafka has all of them. */
export const allConfirmed = (gateway: Gateway, fleet: readonly FleetDevice[], deadlineMs?: number) =>
  waitFor('all is in Kafka', () => gateway.snapshot().records.confirmed === ledgerSize(fleet), deadlineMs);

/** Checks that Kafka has all readings of the fleet once and in order. */
export async function assertDelivered(
  bootstrap: string,
  topic: string,
  { fleet, partitions }: { fleet: readonly FleetDevice[]; partitions: number },
): Promise<void> {
  assertLedger(fleet, await readTopic(bootstrap, topic, ledgerSize(fleet)), { partitions });
}

export const logged = (gateway: Gateway, text: string) => gateway.log.filter(({ msg }) => msg.includes(text));

/** The answer of the gateway's admin port, in words. */
export async function readyz({ addresses }: Gateway): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${addresses.http?.port}/readyz?verbose`);
  return { status: response.status, text: await response.text() };
}
