// The properties of a local KRaft broker, shared by Docker and Java.

export interface BrokerPlan {
  readonly id: number;
  readonly brokers: number;
  readonly listeners: string;
  readonly advertised: string;
  /** Listener name to security protocol. */
  readonly protocols: string;
  readonly interBroker: string;
  readonly voters: string;
  readonly dataDir: string;
  readonly overrides: Readonly<Record<string, string>>;
}

export function brokerProperties(plan: BrokerPlan): Record<string, string> {
  const replicas = String(plan.brokers);
  const quorum = String(Math.floor(plan.brokers / 2) + 1);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(plan.id),
    'controller.quorum.voters': plan.voters,
    'controller.listener.names': 'CONTROLLER',
    listeners: plan.listeners,
    'advertised.listeners': plan.advertised,
    'listener.security.protocol.map': plan.protocols,
    'inter.broker.listener.name': plan.interBroker,
    'log.dirs': plan.dataDir,
    'num.partitions': '10',
    'default.replication.factor': replicas,
    'min.insync.replicas': quorum,
    // A missing topic has to be seen as missing, not made by a metadata request.
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': quorum,
    // 50 partitions of each by default: most of the work of a first consumer or transaction.
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.num.partitions': '1',
    // The only member of a group need not wait for others.
    'group.initial.rebalance.delay.ms': '0',
    ...plan.overrides,
  };
}

export const toPropertiesFile = (properties: Readonly<Record<string, string>>): string =>
  Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
