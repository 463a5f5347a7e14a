// The Kafka that a measuring command uses: the one of KAFKA_BROKERS, or one that it starts.
import { startKafka } from './cluster.ts';
import { wantedVersion } from './runtime.ts';

export interface OwnOrGivenKafka {
  readonly bootstrap: string;
  /** In words, without an address. */
  readonly about: string;
  /** Leaves a given one alone. */
  stop(): Promise<void>;
}

// Deleted topics would otherwise stay on the disk for a minute each.
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
