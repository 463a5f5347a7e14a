// The commands of the pages that need a Kafka (commands.ts).
import { kafkaTest } from '../support/kafka.ts';
import { RUN } from './commands.ts';
import { Scene } from './scene.ts';

kafkaTest('the commands with a Kafka do what the pages say', async ({ bootstrap }, t) => {
  const [broker = bootstrap] = bootstrap.split(',');
  const scene = await Scene.begin(t, {
    env: { KAFKA_BROKERS: broker },
    instead: { 'localhost:9092': broker, '127.0.0.1:9092': broker },
  });
  await scene.play(RUN.kafka);
});
