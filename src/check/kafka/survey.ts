// Asks the brokers the questions of the checks of Kafka: each question once, however many checks need its answer, and
// each with a time limit. It writes no record and creates no topic. It judges nothing.
import type { Settings } from '../../config/settings.ts';
import { FileWatch } from '../../files/file-watch.ts';
import { ClusterError } from '../../kafka/client/cluster-error.ts';
import { nameAdvice } from '../../kafka/client/connect-advice.ts';
import { addressText, Connector, parseAddress } from '../../kafka/client/connector.ts';
import type { ControlApi, ControlApis, MetadataAnswer } from '../../kafka/client/control-apis.ts';
import type { ControlConnection } from '../../kafka/client/control-connection.ts';
import type { Credentials } from '../../kafka/client/kafkajs.ts';
import { watchCredentials } from '../../kafka/credentials.ts';
import { gatewayTopics } from '../../kafka/topics/gateway-topics.ts';
import { kafkaError } from '../../kafka/wire/errors.ts';
import type { Log } from '../../log/log.ts';
import type { Names } from '../names.ts';

/** For TCP and TLS, again for the login, and for each request: all steps one after the other stay below 20 s. */
export const STEP_MS = 2_500;
/** All are tried at once, and a broker may name any number. */
const MAX_TRIED = 100;
const PRODUCER_ID_TRIES = 4;
const PRODUCER_ID_PAUSE_MS = 500;

/** The outcome of one question. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: Error };

/** An address of KAFKA_BROKERS, or one that a broker advertises. */
export interface Reached {
  readonly address: string;
  readonly answer: Answer<ControlConnection>;
}

export interface Advertised extends Reached {
  readonly nodeId: number;
}

export interface ClockOffset {
  readonly offsetMs: number;
  /** Half of the round trip: we do not know when the answer was written. */
  readonly uncertainMs: number;
}

export class KafkaSurvey {
  readonly #settings: Settings;
  readonly #names: Names;
  readonly #files: FileWatch;
  readonly #withLogin: Connector;
  readonly #withoutLogin: Connector;
  readonly #connections = new Set<ControlConnection>();
  readonly #asked = new Map<string, Promise<unknown>>();
  #isClosed = false;

  constructor(settings: Settings, { names, log }: { names: Names; log: Log }) {
    this.#names = names;
    this.#settings = settings;
    this.#files = new FileWatch({ log });
    const credentials: () => Credentials = watchCredentials(settings, { files: this.#files, log });
    const options = {
      brokers: settings.KAFKA_BROKERS,
      clientId: settings.KAFKA_CLIENT_ID,
      requestTimeoutMs: STEP_MS,
    };
    const limits = { timeoutMs: STEP_MS, log };
    this.#withLogin = new Connector({ ...options, credentials }, limits);
    const onlyTls = () => ({ ssl: credentials().ssl });
    this.#withoutLogin = new Connector({ ...options, credentials: onlyTls }, limits);
  }

  get hasLogin(): boolean {
    return this.#settings.KAFKA_SASL_MECHANISM !== null;
  }

  /** Whether each address of KAFKA_BROKERS answers, all at once and before any login. */
  bootstrap(): Promise<Reached[]> {
    return this.#once('bootstrap', () => Promise.all(this.#first));
  }

  /** The first connection that the brokers let us use. Of several addresses only one tries the login until it works. */
  connection(): Promise<Answer<ControlConnection>> {
    return this.#once('connection', async () => {
      const first = await Promise.any(
        this.#first.map(async (reached) => {
          const { address, answer } = await reached;
          if (!answer.ok) throw answer.error;
          return { address, connection: answer.value };
        }),
      ).catch((error: AggregateError) => (error.errors[0] as Error) ?? error);
      if (first instanceof Error) return { ok: false, error: first };
      return this.hasLogin
        ? this.#connect(this.#withLogin, first.address)
        : { ok: true, value: first.connection };
    });
  }

  /** The brokers, the topics and our rights; without the rights if the broker is older than Kafka 2.3. */
  metadata(): Promise<Answer<MetadataAnswer>> {
    const topics = gatewayTopics(this.#settings).map(({ topic }) => topic);
    return this.#once('metadata', async () => {
      const answer = await this.#ask('Rights', { topics });
      const isOld = !answer.ok && answer.error instanceof ClusterError && answer.error.code === 'UNSUPPORTED';
      return isOld ? this.#ask('Metadata', { topics, allowAutoTopicCreation: false }) : answer;
    });
  }

  /** Whether each of the first MAX_TRIED brokers can be used at the address that it advertises. */
  advertised(): Promise<Advertised[]> {
    return this.#once('advertised', async () => {
      const [metadata, connection] = await Promise.all([this.metadata(), this.connection()]);
      if (!metadata.ok || !connection.ok) return [];
      return Promise.all(
        metadata.value.brokers.slice(0, MAX_TRIED).map(async (broker) => {
          const address = addressText(broker);
          const isKnown = connection.value.address === address;
          const answer = isKnown ? connection : await this.#connect(this.#withLogin, address);
          return { nodeId: broker.nodeId, address, answer };
        }),
      );
    });
  }

  /** The clock of Kafka's controller less ours. Undefined if Kafka does not tell it. */
  clock(): Promise<ClockOffset | undefined> {
    return this.#once('clock', async () => {
      await this.connection();
      const beforeMs = Date.now();
      const answer = await this.#ask('DescribeQuorum', {});
      const roundTripMs = Date.now() - beforeMs;
      if (!answer.ok || answer.value.nowMs === undefined) return undefined;
      return { offsetMs: answer.value.nowMs - beforeMs - roundTripMs / 2, uncertainMs: roundTripMs / 2 };
    });
  }

  /** A producer id, as the gateway gets it. A Kafka that has just started gives none at first, so it is asked again. */
  producerId(): Promise<Answer<ControlApis['InitProducerId']['answer']>> {
    return this.#once('producer id', async () => {
      for (let tries = 1; ; tries++) {
        const answer = await this.#ask('InitProducerId', {
          transactionalId: null,
          transactionTimeout: 60_000,
        });
        const isLater = answer.ok && kafkaError(answer.value.errorCode).outcome === 'retry';
        if (!isLater || tries === PRODUCER_ID_TRIES) return answer;
        await new Promise((resolve) => setTimeout(resolve, PRODUCER_ID_PAUSE_MS));
      }
    });
  }

  /** Asks the broker that is connected. */
  ask<A extends ControlApi>(
    api: A,
    payload: ControlApis[A]['payload'],
  ): Promise<Answer<ControlApis[A]['answer']>> {
    return this.#once(`${api} ${JSON.stringify(payload)}`, () => this.#ask(api, payload));
  }

  close(): void {
    this.#isClosed = true;
    this.#files.stop();
    this.#withLogin.close();
    this.#withoutLogin.close();
    for (const connection of this.#connections) connection.destroy();
  }

  get #first(): readonly Promise<Reached>[] {
    const addresses = [...new Set(this.#settings.KAFKA_BROKERS)];
    return addresses.map((address) =>
      this.#once(`address ${address}`, async () => ({
        address,
        answer: await this.#connect(this.#withoutLogin, address),
      })),
    );
  }

  async #connect(connector: Connector, address: string): Promise<Answer<ControlConnection>> {
    const { host, port } = parseAddress(address);
    const code = await this.#names.codeOf(host);
    if (code !== '')
      return { ok: false, error: new ClusterError('UNREACHABLE', `${address}: ${nameAdvice(host, code)}`) };
    const answer = await settled(() => connector.control({ host, port }));
    if (answer.ok) this.#connections.add(answer.value);
    if (answer.ok && this.#isClosed) answer.value.destroy();
    return answer;
  }

  async #ask<A extends ControlApi>(
    api: A,
    payload: ControlApis[A]['payload'],
  ): Promise<Answer<ControlApis[A]['answer']>> {
    const connection = await this.connection();
    return connection.ok ? settled(() => connection.value.ask(api, payload, STEP_MS)) : connection;
  }

  #once<T>(name: string, ask: () => Promise<T>): Promise<T> {
    const asked = this.#asked.get(name) as Promise<T> | undefined;
    const answer = asked ?? ask();
    this.#asked.set(name, answer);
    return answer;
  }
}

async function settled<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error : new Error(String(error)) };
  }
}
