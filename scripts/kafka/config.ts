// Makes the properties of a local broker, for Docker and Java, with its own quorum (KRaft) or with ZooKeeper.

import { pathToFileURL } from 'node:url';

/** A listener beside the one without login or TLS, which brokers and tools use. */
interface Listener {
  readonly port: number;
  /** host:port for clients, for example of a proxy. */
  readonly advertised: string;
}

/** For clients that log in with SCRAM, PLAIN or OAUTHBEARER. */
export interface SaslListener extends Listener {
  /** Encrypts the listener. */
  readonly tls?: BrokerTls;
  /** Passwords of the users of PLAIN. Users of SCRAM are made while the broker runs (alterConfig, type users). */
  readonly plainUsers: Readonly<Record<string, string>>;
  /** Undefined: no tokens. Kafka 3.1 or later. */
  readonly tokens?: TokenChecks;
}

/** Which tokens the broker takes. Their `sub` is the user. */
export interface TokenChecks {
  /** The path of the public keys of who signs them (JWKS, RFC 7517). */
  readonly jwksFile: string;
  readonly issuer: string;
  readonly audience: string;
}

/** For clients that show a certificate. */
export interface TlsListener extends Listener {
  readonly tls: BrokerTls & { readonly clientCa: string };
}

/** PEM texts. */
export interface BrokerTls {
  readonly cert: string;
  readonly key: string;
  /** Who must have signed the certificates of clients. Without it no client needs one. */
  readonly clientCa?: string;
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
  readonly tls: TlsListener | undefined;
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
      // Without it ZooKeeper keeps no keys of certificates, which tests replace while the broker runs.
      'password.encoder.secret': 'local',
      // Before Kafka 1.0 a topic could not be deleted by default.
      'delete.topic.enable': 'true',
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
  const { host, sasl, tls } = plan;
  const more = [
    ...(sasl ? [{ ...sasl, name: 'SASL', protocol: sasl.tls ? 'SASL_SSL' : 'SASL_PLAINTEXT' }] : []),
    ...(tls ? [{ ...tls, name: 'TLS', protocol: 'SSL' }] : []),
  ];
  return {
    listeners: [plan.listeners, ...more.map(({ name, port }) => `${name}://${host}:${port}`)].join(),
    'advertised.listeners': [
      plan.advertised,
      ...more.map(({ name, advertised }) => `${name}://${advertised}`),
    ].join(),
    'listener.security.protocol.map': [
      plan.protocols,
      ...more.map(({ name, protocol }) => `${name}:${protocol}`),
    ].join(),
    ...(sasl && loginProperties(sasl)),
    ...(sasl?.tls && tlsProperties('sasl', sasl.tls)),
    ...(tls && tlsProperties('tls', tls.tls)),
  };
}

function loginProperties({ plainUsers, tokens }: SaslListener): Record<string, string> {
  const module = 'org.apache.kafka.common.security';
  const users = Object.entries(plainUsers).map(([name, password]) => ` user_${name}="${password}"`);
  return {
    'sasl.enabled.mechanisms': `SCRAM-SHA-256,SCRAM-SHA-512,PLAIN${tokens ? ',OAUTHBEARER' : ''}`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${module}.scram.ScramLoginModule required;`,
    'listener.name.sasl.plain.sasl.jaas.config': `${module}.plain.PlainLoginModule required${users.join('')};`,
    ...(tokens && tokenProperties(tokens)),
  };
}

function tokenProperties({ jwksFile, issuer, audience }: TokenChecks): Record<string, string> {
  const module = 'org.apache.kafka.common.security.oauthbearer';
  const prefix = 'listener.name.sasl.oauthbearer';
  return {
    [`${prefix}.sasl.jaas.config`]: `${module}.OAuthBearerLoginModule required;`,
    [`${prefix}.sasl.server.callback.handler.class`]: `${module}.OAuthBearerValidatorCallbackHandler`,
    // By default Kafka 4.1.0 takes any token, even with a wrong signature.
    'listener.name.sasl.sasl.oauthbearer.jwt.validator.class': `${module}.BrokerJwtValidator`,
    'listener.name.sasl.sasl.oauthbearer.jwks.endpoint.url': pathToFileURL(jwksFile).href,
    'listener.name.sasl.sasl.oauthbearer.expected.issuer': issuer,
    'listener.name.sasl.sasl.oauthbearer.expected.audience': audience,
  };
}

/** Java flags without which the broker refuses to read the keys of `tokens` (KIP-1139). */
export function tokenFlags(sasl: SaslListener | undefined): string[] {
  if (sasl?.tokens === undefined) return [];
  const { jwksFile } = sasl.tokens;
  const allowed = 'org.apache.kafka.sasl.oauthbearer.allowed';
  return [`-D${allowed}.urls=${pathToFileURL(jwksFile).href}`, `-D${allowed}.files=${jwksFile}`];
}

/** @param listener its name in lower case. The properties can also be changed while the broker runs (alterConfig). */
export function tlsProperties(listener: string, { cert, key, clientCa }: BrokerTls): Record<string, string> {
  const prefix = `listener.name.${listener}.ssl`;
  return {
    [`${prefix}.keystore.type`]: 'PEM',
    [`${prefix}.keystore.certificate.chain`]: oneLine(cert),
    [`${prefix}.keystore.key`]: oneLine(key),
    ...(clientCa !== undefined && {
      [`${prefix}.truststore.type`]: 'PEM',
      [`${prefix}.truststore.certificates`]: oneLine(clientCa),
      [`${prefix}.client.auth`]: 'required',
    }),
  };
}

/** Kafka takes any white space in a PEM text, and properties have one line. */
const oneLine = (pem: string) => pem.trim().replaceAll('\n', ' ');

export const toPropertiesFile = (properties: Readonly<Record<string, string>>): string =>
  Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
