// The facts that a history is judged by: what devices sent and heard, and what the brokers' logs hold. It judges nothing.

/** What a device knows of a message at the end. `unasked`: it had no `seq`, so nothing was promised. */
export type MessageState = 'open' | 'stored' | 'refused' | 'unasked';

/** How a device has introduced itself. */
export interface Identity {
  readonly zipcode: string | undefined;
  readonly city: string | undefined;
  readonly deviceId: string | undefined;
  /** As JSON. */
  readonly tags?: string | undefined;
}

/** A message of a device. Its readings say themselves whose they are: `{"d":device,"m":number,"i":index,...}`. */
export interface SentMessage {
  readonly device: string;
  /** Rises with each message of a device. */
  readonly number: number;
  /** Its records have to say this of the device. */
  readonly identity: Identity;
  readonly seq: number | undefined;
  /** CRC-32 of each reading's JSON text. */
  readonly checksums: readonly number[];
  readonly state: MessageState;
  /** The code of its refusal. */
  readonly code?: string | undefined;
  /** The refusal was Kafka's, by the text of the reply. */
  readonly isRefusedByKafka?: boolean;
  /** The `connection_id` over which it was refused. Another connection may have carried it to Kafka before. */
  readonly refusedOver?: string | undefined;
  /** The `connection_id`s over which it was sent, as far as the device has heard them. */
  readonly connections: readonly string[];
  /** It was also sent over a connection whose `connection_id` the device never heard. */
  readonly sentUnheard: boolean;
}

export interface LogRecord {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly key: string | null;
  readonly value: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The number of its batch in the partition, from 0. */
  readonly batch: number;
}

/** A topic from its creation to its deletion. A topic that is created again is another log. */
export interface TopicLog {
  readonly topic: string;
  /** Every record that was ever committed to it, in order, by partition. */
  readonly partitions: readonly (readonly LogRecord[])[];
}

/**
 * Exceptions that docs/delivery-guarantees.md names, by the fact that makes them possible. A history has an excuse only
 * if the fact happened in it.
 */
export type Excuse =
  /** KAFKA_REQUIRED_ACKS is 1 or 0: Kafka recognises no copies of what is sent again, and may not have what it confirmed. */
  | 'weak-acks'
  /** The disk did not return segments while a gateway started, or did not delete segments before one ended. */
  | 'failing-disk'
  /** SPOOL_SYNC=os and a power cut. */
  | 'unsynced-power-cut'
  /** A broker forgot a producer, or did not accept its sequence. */
  | 'producer-forgotten'
  /** A topic was deleted or created again. */
  | 'topic-recreated'
  /** The same, while several batches of a partition may have been in flight: answers took long. */
  | 'recreated-in-flight'
  /** A topic was created again with fewer partitions, or seemed to have fewer. */
  | 'fewer-partitions'
  /** Kafka refused single records, and a gateway ended, perhaps before their letters were durable. */
  | 'refused-then-ended'
  /** Another cluster answered behind the same addresses. */
  | 'another-cluster'
  /** Bytes on the disk were damaged. */
  | 'damage';

/** The rule that a finding breaks. */
export type Rule =
  | 'balance of lines'
  | 'balance of records'
  | 'confirmed and missing'
  | 'twice'
  | 'out of order'
  | 'never sent'
  | 'changed on its way'
  | 'the wrong device'
  | 'refused and delivered'
  | 'wrong partition'
  | 'in two partitions'
  | 'over a connection that did not carry it'
  | 'a reply that no gateway may send'
  | 'more memory than its settings allow'
  | 'more disk than its settings allow'
  | 'a wait that does not end'
  | 'the gateway crashed'
  | 'two gateways on one directory'
  | 'a start was refused'
  | 'something is left after a stop'
  | 'given up without proof'
  | 'the wrong exit code'
  | 'a refused record without its letter'
  | 'a letter without its reason'
  | 'an outage that was none'
  | 'a broker was not obeyed'
  | 'another trace with the same seed'
  | 'the simulator failed';

export interface Finding {
  readonly rule: Rule;
  readonly text: string;
}
