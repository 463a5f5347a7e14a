// Provides the Kafka to measure with: that of KAFKA_BROKERS, or a new one.
import { startKafka } from './cluster.ts';
import { wantedVersion } from './runtime.ts';

export interface OwnOrGivenKafka {
  readonly bootstrap: string;
  /** A description without an address. */
  readonly about: string;
  /** Does nothing to the Kafka of KAFKA_BROKERS. */
  stop(): Promise<void>;
}

// By default a deleted topic stays on the disk for a minute.
const PROPERTIES = { 'log.segment.delete.delay.ms': '1000' };

/** Throws KafkaUnavailableError, BrokerStartError. */
export async function ownOrGivenKafka(): Promise<OwnOrGivenKafka> {
  const given = process.env.KAFKA_BROKERS;
  if (given) return { bootstrap: given, about: 'the Kafka of KAFKA_BROKERS', stop: async () => {} };
  console.error('Starting a Kafka ...');
  const { bootstrap, kind, stop } = await startKafka({ properties: PROPERTIES });
  return {
    bootstrap,
    about: `Kafka ${wantedVersion().name} (${kind}), one broker on the same machine`,
    stop,
  };
}
