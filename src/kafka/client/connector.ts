// Opens connections to brokers, for control and for produce: connects, logs in and asks for the API versions, within time
// limits. Both kinds share one back-off for refused logins, because they log in as the same user.
import type { Logger } from 'pino';
import { chooseVersion } from './api-versions.ts';
import { ClusterError, within } from './cluster-error.ts';
import { asClusterError, type ConnectionParts, ControlConnection } from './control-connection.ts';
import {
  type Address,
  brokerBuilder,
  destroyBroker,
  isRefusedLogin,
  type KafkaBroker,
  type KafkaClientOptions,
  sessionLifetimeMs,
  takeSocket,
} from './kafkajs.ts';
import { LoginBackoff } from './login-backoff.ts';
import { ProduceConnection, type ProduceConnectionEvents } from './produce-connection.ts';
import { saslSession } from './sasl-session.ts';

interface LoggedIn {
  readonly broker: KafkaBroker;
  readonly parts: ConnectionParts;
}

export type Verify = (connection: ControlConnection) => Promise<void>;

export class Connector {
  readonly #options: KafkaClientOptions;
  readonly #timeoutMs: number;
  readonly #build: (address: Address) => Promise<KafkaBroker>;
  readonly #logins = new LoginBackoff();
  #closed = false;

  /** @param timeoutMs for TCP and TLS, and again for the login */
  constructor(options: KafkaClientOptions, { timeoutMs, log }: { timeoutMs: number; log: Logger }) {
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#build = brokerBuilder(options, { connectTimeoutMs: timeoutMs, log });
  }

  get isLoginRefused(): boolean {
    return this.#logins.isRefused;
  }

  async control(address: Address): Promise<ControlConnection> {
    const { broker, parts } = await this.#logIn(address, true);
    return new ControlConnection(broker, parts);
  }

  /** @param verify checks the broker before anything is produced; if it rejects, the connection is closed */
  async produce(
    address: Address,
    { events, verify }: { events: ProduceConnectionEvents; verify: Verify },
  ): Promise<ProduceConnection> {
    const { broker, parts } = await this.#logIn(address, false);
    const { versions, ...options } = parts;
    try {
      await verify(new ControlConnection(broker, parts));
      const version = chooseVersion(versions, 'Produce', parts.address);
      const { clientId, requestTimeoutMs } = this.#options;
      const socket = takeSocket(broker);
      return new ProduceConnection({ ...options, socket, version, clientId, requestTimeoutMs }, events);
    } catch (error) {
      const reason = asClusterError(error, parts.address);
      destroyBroker(broker, reason);
      throw reason;
    }
  }

  /** No connection is handed out after this. */
  close(): void {
    this.#closed = true;
  }

  async #logIn(address: Address, mayRetryLogin: boolean): Promise<LoggedIn> {
    if (this.#closed) throw new ClusterError('UNREACHABLE', 'the client is closed');
    this.#logins.enter(mayRetryLogin);
    const broker = await this.#build(address);
    const startedAtMs = performance.now();
    try {
      await within(2 * this.#timeoutMs, broker.connect(), `${addressText(address)} did not answer`);
    } catch (error) {
      const reason = this.#failure(error, address);
      destroyBroker(broker, reason);
      throw reason;
    }
    this.#logins.accepted();
    const { versions } = broker;
    if (this.#closed || versions === null) {
      const reason = new ClusterError('UNREACHABLE', 'the client is closed');
      destroyBroker(broker, reason);
      throw reason;
    }
    // The session counts from before the login, so that we never believe it to last longer than it does.
    const { requestTimeoutMs } = this.#options;
    const session = saslSession(sessionLifetimeMs(broker), { startedAtMs, requestTimeoutMs });
    return { broker, parts: { address: addressText(address), versions, session } };
  }

  #failure(error: unknown, address: Address): Error {
    if (this.#options.sasl === undefined || !isRefusedLogin(error)) {
      this.#logins.notTried();
      return asClusterError(error, addressText(address));
    }
    const refusal = new ClusterError(
      'AUTHENTICATION',
      `${addressText(address)} refuses the login set by KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD: ${error.message}`,
      { cause: error },
    );
    this.#logins.refused(refusal);
    return refusal;
  }
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
