// A sender that has nothing to say for a while. It knows no keepalive, and one that does not look for FIN would lose its next
// line into a connection that the gateway has closed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/kafka/ports.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { createTopic, kafkaTest, readTopic, uniqueTopic } from '../support/kafka.ts';

const INACTIVITY_MS = 500;

kafkaTest(
  'a sender that is silent for longer than TCP_INACTIVITY_TIMEOUT loses nothing',
  async ({ bootstrap }, t) => {
    const topic = uniqueTopic('senders');
    await createTopic(bootstrap, topic, { partitions: 1 });
    const port = await freePort();
    await runGateway(t, temporaryDirectory(t), {
      KAFKA_BROKERS: bootstrap,
      KAFKA_TOPIC_METRICS: topic,
      KAFKA_COMPRESSION: 'none',
      TCP_LINES_PORT: String(port),
      TCP_INACTIVITY_TIMEOUT: `${INACTIVITY_MS}ms`,
    });
    // As nc: it writes, and never reads.
    const sender = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => sender.destroy());
    sender.on('error', () => undefined);
    await once(sender, 'connect');
    const lines = ['{"n":0}', '{"n":1}', '{"n":2}'];
    for (const line of lines) {
      sender.write(`${line}\n`);
      // The silence itself is what is tested, so nothing can be waited for.
      await sleep(4 * INACTIVITY_MS);
    }
    sender.end();
    const values = (await readTopic(bootstrap, topic, lines.length)).map(({ value }) => value?.toString());
    assert.deepEqual(values, lines);
  },
);
