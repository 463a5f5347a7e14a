// Opens connections to brokers, for control and for produce: connects, logs in and asks for the API versions, within time
// limits. Both kinds share one back-off for refused logins, because they log in as the same user.

import { hideSecret } from '../../log/hide-secrets.ts';
import type { Log } from '../../log/log.ts';
import { checkVersions, chooseVersion } from './api-versions.ts';
import { ClusterError, within } from './cluster-error.ts';
import { connectAdvice, SAYS_NOTHING } from './connect-advice.ts';
import { asClusterError, type ConnectionParts, ControlConnection, codeOf } from './control-connection.ts';
import {
  type Address,
  brokerBuilder,
  type Credentials,
  destroyBroker,
  endOf,
  isBrokersAnswer,
  isRefusedLogin,
  type KafkaBroker,
  type KafkaClientOptions,
  type ReadyLogin,
  sessionLifetimeMs,
  takeSocket,
} from './kafkajs.ts';
import { LoginBackoff } from './login-backoff.ts';
import { bearerLogin } from './oauth-bearer.ts';
import { ProduceConnection, type ProduceConnectionEvents } from './produce-connection.ts';
import { saslSession } from './sasl-session.ts';

interface LoggedIn {
  readonly broker: KafkaBroker;
  readonly parts: ConnectionParts;
}

interface FailedLogIn {
  readonly broker: KafkaBroker;
  readonly address: Address;
  readonly credentials: Credentials;
  /** Of this connection; empty without one. */
  readonly token: string;
  readonly logins: LoginBackoff;
}

export type Verify = (connection: ControlConnection) => Promise<void>;

export class Connector {
  readonly #options: KafkaClientOptions;
  readonly #timeoutMs: number;
  readonly #build: ReturnType<typeof brokerBuilder>;
  #logins = new LoginBackoff();
  #sasl: Credentials['sasl'];
  #closed = false;

  /** @param timeoutMs for TCP and TLS, and again for the login */
  constructor(options: KafkaClientOptions, { timeoutMs, log }: { timeoutMs: number; log: Log }) {
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#build = brokerBuilder(options, { connectTimeoutMs: timeoutMs, log });
  }

  get loginRefusal(): Error | undefined {
    return this.#logins.refusal;
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
    const { versions, isLoggedIn: _, ...options } = parts;
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
    const credentials = this.#options.credentials();
    const logins = this.#loginsWith(credentials);
    logins.enter(mayRetryLogin);
    const token = await this.#token(credentials, logins);
    const broker = await this.#build(address, { ssl: credentials.ssl, sasl: readyLogin(credentials, token) });
    const startedAtMs = performance.now();
    try {
      await within(2 * this.#timeoutMs, broker.connect(), `${addressText(address)}: no answer`);
    } catch (error) {
      const reason = failureOf(error, { broker, address, credentials, token, logins });
      destroyBroker(broker, reason);
      throw reason;
    }
    logins.accepted();
    const { versions } = broker;
    if (this.#closed || versions === null) {
      const reason = new ClusterError('UNREACHABLE', 'the client is closed');
      destroyBroker(broker, reason);
      throw reason;
    }
    this.#requireVersions(broker, addressText(address));
    // The session counts from before the login, so that we never believe it to last longer than it does.
    const { requestTimeoutMs } = this.#options;
    const session = saslSession(sessionLifetimeMs(broker), { startedAtMs, requestTimeoutMs });
    const isLoggedIn = credentials.sasl !== undefined;
    return { broker, parts: { address: addressText(address), versions, session, isLoggedIn } };
  }

  /** @throws ClusterError UNSUPPORTED, after it has closed the connection */
  #requireVersions(broker: KafkaBroker, address: string): void {
    try {
      checkVersions(broker.versions ?? {}, address);
    } catch (error) {
      const reason = asClusterError(error, address);
      destroyBroker(broker, reason);
      throw reason;
    }
  }

  /** Before the connection is made, because a broker waits only a moment for the login. */
  async #token({ sasl }: Credentials, logins: LoginBackoff): Promise<string> {
    if (sasl?.mechanism !== 'oauthbearer') return '';
    try {
      return await sasl.token();
    } catch (error) {
      logins.notTried();
      throw error;
    }
  }

  /** A new login begins with a back-off of its own: the refusals were about the former one. */
  #loginsWith({ sasl }: Credentials): LoginBackoff {
    if (sasl !== this.#sasl) this.#logins = new LoginBackoff();
    this.#sasl = sasl;
    return this.#logins;
  }
}

/** Tells the back-off how the login ended. */
function failureOf(error: unknown, { broker, address, credentials, token, logins }: FailedLogIn): Error {
  const { sasl } = credentials;
  if (sasl === undefined || !isRefusedLogin(error)) {
    logins.notTried();
    const end = endOf(broker);
    const isSilent = end.isConnected && !end.hasAnswered;
    if (error instanceof ClusterError && error.code === 'TIMEOUT' && isSilent)
      return new ClusterError('TIMEOUT', error.message + SAYS_NOTHING, { cause: error });
    if (error instanceof ClusterError || isBrokersAnswer(error))
      return asClusterError(error, addressText(address));
    const isTls = credentials.ssl !== undefined;
    const why = connectAdvice({ error, host: address.host, isTls, ...end });
    return new ClusterError('UNREACHABLE', `${addressText(address)}: ${why}`, { cause: error });
  }
  const isToken = sasl.mechanism === 'oauthbearer';
  if (isToken) sasl.refused(token);
  // The broker's own words, which may repeat the login.
  const words = hideSecret(error.message, isToken ? token : sasl.password);
  const login = isToken
    ? `the token ${sasl.from}`
    : 'the login set by KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD';
  const why =
    isBrokersAnswer(error) && codeOf(error) === ILLEGAL_SASL_STATE ? `${words} (${NO_LOGIN})` : words;
  const refusal = new ClusterError('AUTHENTICATION', `${addressText(address)} refuses ${login}: ${why}`, {
    cause: error,
  });
  logins.refused(refusal);
  return refusal;
}

function readyLogin({ sasl }: Credentials, token: string): ReadyLogin | undefined {
  return sasl?.mechanism === 'oauthbearer' ? bearerLogin(token, sasl.extensions) : sasl;
}

const ILLEGAL_SASL_STATE = 34;
const NO_LOGIN =
  'a listener without logins says that: leave KAFKA_SASL_MECHANISM empty, or name the port of a listener with SASL';

/** @param text host:port, with brackets around an IPv6 address, as KAFKA_BROKERS has it */
export function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
