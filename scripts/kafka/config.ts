// The properties of a local broker, shared by Docker and Java: its own quorum's (KRaft), or ZooKeeper's.

/** A listener for clients that log in, with SCRAM or PLAIN, beside the plain one that brokers and tools keep. */
export interface SaslListener {
  readonly port: number;
  /** host:port that clients are told to connect to, such as a proxy's. */
  readonly advertised: string;
  /** PLAIN's users with their passwords. SCRAM's are made while the broker runs: alterConfig, type users. */
  readonly plainUsers: Readonly<Record<string, string>>;
}

export interface BrokerPlan {
  readonly id: number;
  readonly brokers: number;
  readonly listeners: string;
  readonly advertised: string;
  /** Listener name to security protocol. */
  readonly protocols: string;
  readonly interBroker: string;
  /** Who keeps the cluster's state: brokers that are controllers as well, or a ZooKeeper at host:port. */
  readonly quorum: { readonly voters: string } | { readonly zooKeeper: string };
  readonly dataDir: string;
  /** Where brokers bind: empty is everywhere. */
  readonly host: string;
  readonly sasl: SaslListener | undefined;
  readonly overrides: Readonly<Record<string, string>>;
}

export function brokerProperties(plan: BrokerPlan): Record<string, string> {
  const replicas = String(plan.brokers);
  const majority = String(Math.floor(plan.brokers / 2) + 1);
  return {
    ...quorumProperties(plan),
    ...listenerProperties(plan),
    'inter.broker.listener.name': plan.interBroker,
    'log.dirs': plan.dataDir,
    'num.partitions': '10',
    'default.replication.factor': replicas,
    'min.insync.replicas': majority,
    // Otherwise a metadata request would create a missing topic.
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': majority,
    // 50 partitions of each by default: most of the work of a first consumer or transaction.
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.num.partitions': '1',
    // The only member of a group does not wait for further members.
    'group.initial.rebalance.delay.ms': '0',
    ...plan.overrides,
  };
}

/** After a SIGKILL the broker's session in ZooKeeper lives this long, and the broker cannot come back before. */
export const ZOOKEEPER_SESSION_MS = 4_000;

function quorumProperties({ id, quorum }: BrokerPlan): Record<string, string> {
  if ('zooKeeper' in quorum) {
    return {
      'broker.id': String(id),
      'zookeeper.connect': quorum.zooKeeper,
      'zookeeper.session.timeout.ms': String(ZOOKEEPER_SESSION_MS),
    };
  }
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': quorum.voters,
    'controller.listener.names': 'CONTROLLER',
  };
}

function listenerProperties(plan: BrokerPlan): Record<string, string> {
  const { listeners, advertised, protocols, host, sasl } = plan;
  if (sasl === undefined)
    return { listeners, 'advertised.listeners': advertised, 'listener.security.protocol.map': protocols };
  const module = 'org.apache.kafka.common.security';
  const users = Object.entries(sasl.plainUsers).map(([name, password]) => ` user_${name}="${password}"`);
  return {
    listeners: `${listeners},SASL://${host}:${sasl.port}`,
    'advertised.listeners': `${advertised},SASL://${sasl.advertised}`,
    'listener.security.protocol.map': `${protocols},SASL:SASL_PLAINTEXT`,
    'sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512,PLAIN',
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
    'listener.name.sasl.plain.sasl.jaas.config': `${module}.plain.PlainLoginModule required${users.join('')};`,
  };
}

export const toPropertiesFile = (properties: Readonly<Record<string, string>>): string =>
  Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
