// Helpers of the tests of `sluice dead`: letters in a topic of their own, the commands as real processes, and the
// topic of the readings.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import type { TestContext } from 'node:test';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { createTopic, readTopic, uniqueTopic } from '../support/kafka.ts';
import { collect, type Env, Place, type Run, start } from './spool-place.ts';

export interface WrittenLetter {
  readonly value: string;
  readonly reason: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class DeadPlace extends Place {
  readonly bootstrap: string;
  readonly metrics: string;
  readonly dead: string;

  constructor(t: TestContext, bootstrap: string, env: Env = {}) {
    const metrics = uniqueTopic('dead.readings');
    const dead = uniqueTopic('dead.letters');
    super(t, {
      KAFKA_BROKERS: bootstrap,
      KAFKA_TOPIC_METRICS: metrics,
      KAFKA_TOPIC_DEAD_LETTERS: dead,
      KAFKA_COMPRESSION: 'none',
      ...env,
    });
    this.bootstrap = bootstrap;
    this.metrics = metrics;
    this.dead = dead;
  }

  /** @param config of the readings' topic */
  async createTopics(config: Readonly<Record<string, string>> = {}): Promise<void> {
    await createTopic(this.bootstrap, this.metrics, { partitions: 3, config });
    await createTopic(this.bootstrap, this.dead, {
      partitions: 2,
      config: { 'message.timestamp.type': 'LogAppendTime' },
    });
  }

  /** Writes letters into partition 0 of the topic, as a gateway would. */
  async write(letters: readonly WrittenLetter[]): Promise<void> {
    const producer = kafkaClient(this.bootstrap, 5).producer();
    await producer.connect();
    try {
      const messages = letters.map(({ value, reason, headers = {} }) => ({
        key: null,
        value,
        partition: 0,
        headers: { reason, ...this.letterHeaders, ...headers },
      }));
      await producer.send({ topic: this.dead, messages });
    } finally {
      await producer.disconnect();
    }
  }

  get letterHeaders(): Record<string, string> {
    return {
      topic: this.metrics,
      connection_id: 'c',
      zipcode: '90210',
      city: 'Hills',
      device_id: 'roof',
      remote_address: '127.0.0.1',
      received_at: RECEIVED_AT,
    };
  }

  begin(args: readonly string[], env: Env = {}): ChildProcess {
    return start(['dead', ...args], { ...this.env, ...env });
  }

  run(args: readonly string[], env: Env = {}): Promise<Run> {
    return collect(this.begin(args, env));
  }

  async ok(...args: string[]): Promise<Run> {
    const run = await this.run(args);
    assert.equal(run.code, 0, run.err + run.out);
    return run;
  }

  /** The values of the readings' topic, once it has at least `count`. */
  async readings(count: number): Promise<string[]> {
    return (await readTopic(this.bootstrap, this.metrics, count)).map(({ value }) => String(value));
  }
}

export const RECEIVED_AT = '2026-11-28T08:00:00.000Z';

/** A record that Kafka refused. */
export function recordLetter(n: number, reason = 'MESSAGE_TOO_LARGE'): WrittenLetter {
  return { value: recordValue(n), reason };
}

export function recordValue(n: number): string {
  return `{"connection_id":"c","zipcode":"90210","city":"Hills","received_at":"${RECEIVED_AT}","device_id":"roof","seq":${n},"data":{"n":${n}}}`;
}

/** A line that a gateway refused. */
export function lineLetter(
  value: string,
  reason: string,
  headers: Record<string, string> = {},
): WrittenLetter {
  return { value, reason, headers };
}

export const valuesUpTo = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => recordValue(index)).sort();
