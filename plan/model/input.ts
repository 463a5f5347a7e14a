// The questions that a plan answers: a fleet, the machines and brokers that there are to choose from, and how full they may be.
// All sizes in bytes, all times in seconds.

export interface Fleet {
  readonly devices: number;
  /** Between two readings of a device. */
  readonly intervalSeconds: number;
  /** Of the line of a reading, with its LF. */
  readonly lineBytes: number;
  /** From a device to the gateway and back. */
  readonly rttSeconds: number;
  readonly tls: boolean;
  /** The busiest second, in units of the average. */
  readonly peak: number;
}

export interface Machine {
  readonly cores: number;
  readonly memoryBytes: number;
  /** In each direction. */
  readonly networkBytesPerSecond: number;
  /** `ulimit -n` of each process. */
  readonly openFiles: number;
  readonly diskBytes: number;
  /** Null if nobody gave a price. */
  readonly pricePerHour: number | null;
}

export type Broker = Omit<Machine, 'memoryBytes' | 'openFiles'>;

export interface KafkaNeeds {
  /** From a gateway to Kafka and back. */
  readonly rttSeconds: number;
  readonly replicas: number;
  readonly retentionSeconds: number;
  /** Records that one consumer reads in a second. */
  readonly consumerPerSecond: number;
  /** Groups of consumers, which read everything. */
  readonly readers: number;
}

export interface Goals {
  /** Part of a machine that may be used in the busiest second. */
  readonly use: number;
  /** Machines that may be away at the same time. */
  readonly spare: number;
  /** Most devices of one machine, whatever it could hold. */
  readonly devicesPerMachine: number;
  /** How long Kafka may be away. */
  readonly outageSeconds: number;
  /** Time in which all devices shall be back after a regional outage. */
  readonly stormSeconds: number;
}

/** Settings of the gateway that count, with their names in docs/configuration.md. */
export interface GatewaySettings {
  /** KAFKA_BATCH_TIMEOUT. */
  readonly lingerSeconds: number;
  /** KAFKA_BUFFER_BYTES. */
  readonly kafkaBufferBytes: number;
  /** TCP_BUFFER_BYTES. */
  readonly tcpBufferBytes: number;
  /** TCP_TLS_MAX_HANDSHAKES. */
  readonly maxHandshakes: number;
}

export interface PlanInput {
  readonly fleet: Fleet;
  readonly machine: Machine;
  readonly broker: Broker;
  readonly kafka: KafkaNeeds;
  readonly goals: Goals;
  readonly settings: GatewaySettings;
}
