// The form of a play: two builds, a Kafka that can be taken away, and a sentence on the outcome.
import type { Build } from './builds.ts';

/** A Kafka that can be taken away. */
export interface KafkaOutage {
  /** For gateways. */
  readonly address: string;
  /** For the judge, while Kafka is not away. */
  readonly bootstrap: string;
  away(): Promise<void>;
  back(): Promise<void>;
}

export interface Versions {
  readonly from: Build;
  readonly to: Build;
  readonly kafka: KafkaOutage;
}

export interface Play {
  readonly name: string;
  /** The course, and the promise that has to hold, with OLD and NEW for the two builds. */
  readonly about: string;
  /** Resolves with a sentence on the outcome. Rejects if the promise is broken. */
  run(versions: Versions): Promise<string>;
}
