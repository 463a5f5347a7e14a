// Makes the properties of a local broker, for Docker and Java, with its own quorum (KRaft) or with ZooKeeper.

/** A listener for clients that log in with SCRAM or PLAIN. Brokers and tools use the listener without a login. */
export interface SaslListener {
  readonly port: number;
  /** host:port for clients, for example of a proxy. */
  readonly advertised: string;
  /** Passwords of the users of PLAIN. Users of SCRAM are made while the broker runs (alterConfig, type users). */
  readonly plainUsers: Readonly<Record<string, string>>;
}

export interface BrokerPlan {
  readonly id: number;
  readonly brokers: number;
  readonly listeners: string;
  readonly advertised: string;
  /** Security protocol by listener name. */
  readonly protocols: string;
  readonly interBroker: string;
  /** The keeper of the cluster's state: the brokers as controllers, or a ZooKeeper at host:port. */
  readonly quorum: { readonly voters: string } | { readonly zooKeeper: string };
  readonly dataDir: string;
  /** The address to bind; empty = all addresses. */
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
    // A metadata request must not create a missing topic.
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': majority,
    // The default of 50 partitions each is most of the work of a first consumer or transaction.
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.num.partitions': '1',
    // Groups have one member, which need not wait for others.
    'group.initial.rebalance.delay.ms': '0',
    ...plan.overrides,
  };
}

/** How long a killed broker's session in ZooKeeper lasts. The broker cannot come back before its end. */
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
