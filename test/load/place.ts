// A gateway in the test's process with a topic of its own, for a load.
import type { TestContext } from 'node:test';
import { type Env, type Gateway, startGateway } from '../support/gateway.ts';
import { uniqueTopic } from '../support/kafka.ts';
import { waitFor } from '../support/wait.ts';

export interface Place {
  readonly gateway: Gateway;
  /** Options of the load for this gateway and topic. */
  readonly args: readonly string[];
}

export async function place(t: TestContext, bootstrap: string, env: Env = {}): Promise<Place> {
  const topic = uniqueTopic('load');
  const settings = { KAFKA_BROKERS: bootstrap, KAFKA_TOPIC_METRICS: topic, KAFKA_TOPIC_DEAD_LETTERS: '' };
  const gateway = await startGateway({ ...settings, ...env });
  t.after(() => gateway.stop());
  await waitFor('the topic', () => gateway.log.some(({ msg }) => msg.includes('Kafka is reachable')));
  const args = ['--target', `127.0.0.1:${gateway.port}`, '--brokers', bootstrap, '--topic', topic];
  return { gateway, args };
}
