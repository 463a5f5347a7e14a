// A broker on a real socket that answers as a test tells it, for answers that a real Kafka gives rarely or never. Like a
// real broker it handles the requests of a connection one after the other.
import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { KafkaClient } from '../../../src/kafka/client/kafka-client.ts';
import type { KafkaClientOptions } from '../../../src/kafka/client/kafkajs.ts';
import type { ProduceRequest } from '../../../src/kafka/wire/produce-request.ts';
import type { Log } from '../../../src/log/log.ts';
import { silent } from '../delivery/fakes.ts';

export const PRODUCE = 0;
export const METADATA = 3;
/** A test that waits for a time-out sets a shorter one. */
const REQUEST_TIMEOUT_MS = 30_000;
const SASL_HANDSHAKE = 17;
const API_VERSIONS = 18;
export const CREATE_TOPICS = 19;
export const INIT_PRODUCER_ID = 22;
const DESCRIBE_CONFIGS = 32;
const SASL_AUTHENTICATE = 36;
const SASL_AUTHENTICATION_FAILED = 58;
const ILLEGAL_SASL_STATE = 34;
const UNSUPPORTED_VERSION = 35;

export interface Request {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  /** Number of the connection, counted from 1. */
  readonly connection: number;
  /** The bytes after the header. */
  readonly body: Buffer;
}

export interface ProduceReceived extends Request {
  readonly acks: number;
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly batches: readonly Buffer[];
}

export interface CreateReceived {
  readonly nodeId: number;
  readonly topic: string;
  readonly config: Readonly<Record<string, string>>;
}

/** The answer to a request. */
export type Reply =
  /** A body after the correlation id. */
  | Buffer
  /** Bytes in place of a frame. */
  | { readonly raw: Buffer }
  | 'nothing'
  | 'close'
  | 'reset';

export interface Script {
  /** Version range by API key. The broker does not know other requests. */
  versions: Map<number, readonly [number, number]>;
  nodeId: number;
  controllerId: number;
  clusterId: string | null;
  brokers: () => readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  partitions: number;
  /** Called for each Produce request. While its promise is pending, the connection neither reads nor replies. */
  onProduce: (request: ProduceReceived) => Reply | Promise<Reply>;
  /** True if another request than Produce gets no answer. */
  isSilent: (request: Request) => boolean;
  /** Milliseconds in which nothing is read after a Produce answer. */
  muteMs: (request: ProduceReceived) => number;
  onCreate: (request: CreateReceived) => { readonly code: number; readonly message?: string };
  /** Settings of the topic in this order, or an error code. */
  configs: readonly (readonly [string, string])[] | number;
  initProducerIdCode: number;
  /** The password for PLAIN; undefined = no login. */
  password: string | undefined;
  /** Milliseconds; 0 = without end. */
  sessionLifetimeMs: number;
}

/** Version ranges of Kafka releases, from ApiKeys of their kafka-clients. */
export const RELEASES = {
  '2.8': { 0: [0, 9], 3: [0, 11], 17: [0, 1], 18: [0, 3], 19: [0, 7], 22: [0, 4], 32: [0, 4], 36: [0, 2] },
  '3.9': { 0: [0, 11], 3: [0, 12], 17: [0, 1], 18: [0, 4], 19: [0, 7], 22: [0, 5], 32: [0, 4], 36: [0, 2] },
  '4.1': { 0: [3, 13], 3: [0, 13], 17: [0, 1], 18: [0, 4], 19: [2, 7], 22: [0, 6], 32: [1, 4], 36: [0, 2] },
} as const satisfies Record<string, Record<number, readonly [number, number]>>;

/** The oldest release that Sluice takes, and one that it refuses. */
export const OLD_RELEASES = {
  '0.11': { 0: [0, 3], 3: [0, 4], 17: [0, 0], 18: [0, 1], 19: [0, 2], 22: [0, 0], 32: [0, 0] },
  '0.10.2': { 0: [0, 2], 3: [0, 2], 17: [0, 0], 18: [0, 0], 19: [0, 1] },
} as const satisfies Record<string, Record<number, readonly [number, number]>>;

const ALL_RELEASES = { ...RELEASES, ...OLD_RELEASES };

export const rangesOf = (release: keyof typeof ALL_RELEASES): Script['versions'] =>
  new Map(Object.entries(ALL_RELEASES[release]).map(([key, range]) => [Number(key), range]));

export class ScriptedBroker {
  readonly script: Script;
  readonly produced: ProduceReceived[] = [];
  readonly created: CreateReceived[] = [];
  /** API keys of the requests, by connection. */
  readonly apis = new Map<number, number[]>();
  readonly open = new Set<number>();
  /** Monotonic milliseconds of each attempt to log in. */
  readonly loginsAtMs: number[] = [];
  readonly #server: Server;
  readonly #sockets = new Map<number, Socket>();
  #connections = 0;
  #nextProducerId = 1000n;

  private constructor(script: Partial<Script>, tls: TlsOptions | undefined) {
    this.script = {
      versions: rangesOf('3.9'),
      nodeId: 1,
      controllerId: 1,
      clusterId: 'cluster-one',
      brokers: () => [{ nodeId: this.script.nodeId, host: '127.0.0.1', port: this.port }],
      partitions: 4,
      onProduce: (request) => producedAnswer(request),
      isSilent: () => false,
      muteMs: () => 0,
      onCreate: () => ({ code: 0 }),
      configs: [['max.message.bytes', '1048588']],
      initProducerIdCode: 0,
      password: undefined,
      sessionLifetimeMs: 0,
      ...script,
    };
    const take = (socket: Socket) => this.#take(socket);
    this.#server = tls === undefined ? createServer({ noDelay: true }, take) : createTlsServer(tls, take);
  }

  static async start(t: TestContext, script: Partial<Script> = {}, tls?: TlsOptions) {
    const broker = new ScriptedBroker(script, tls);
    await new Promise<void>((resolve) => {
      broker.#server.listen(0, '127.0.0.1', resolve);
    });
    t.after(() => broker.stop());
    return broker;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The connections with Produce requests, in the order of their first. */
  get produceConnections(): number[] {
    return [...new Set(this.produced.map(({ connection }) => connection))];
  }

  /** The first partition of each Produce request, in their order. */
  get order(): (number | undefined)[] {
    return this.produced.map(({ partitions }) => partitions[0]);
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  /** False stops reading from all connections, like a frozen broker. */
  set reads(reads: boolean) {
    for (const socket of this.#sockets.values()) {
      if (reads) socket.resume();
      else socket.pause();
    }
  }

  /** Ends a connection from the broker's side, in order or with a reset. */
  end(connection: number, way: 'close' | 'reset' = 'close'): void {
    const socket = this.#sockets.get(connection);
    if (way === 'close') socket?.end();
    else socket?.resetAndDestroy();
  }

  #take(socket: Socket): void {
    const connection = ++this.#connections;
    this.#sockets.set(connection, socket);
    this.open.add(connection);
    this.apis.set(connection, []);
    const session: Session = { loggedIn: this.script.password === undefined, endsAtMs: Infinity };
    let rest: Buffer = Buffer.alloc(0);
    let turn = Promise.resolve();
    socket.on('error', () => undefined);
    socket.on('close', () => this.open.delete(connection));
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const size = rest.readInt32BE(0);
        const request = requestOf(rest.subarray(4, 4 + size), connection);
        rest = rest.subarray(4 + size);
        turn = turn.then(() => this.#handle(request, session, socket)).catch(() => void socket.destroy());
      }
    });
  }

  async #handle(request: Request, session: Session, socket: Socket): Promise<void> {
    const { apiKey, connection } = request;
    this.apis.get(connection)?.push(apiKey);
    const isLogin = [API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE].includes(apiKey);
    if (!isLogin && (!session.loggedIn || performance.now() > session.endsAtMs)) {
      socket.destroy();
      return;
    }
    let reply: Reply;
    let muteMs = 0;
    if (apiKey === PRODUCE) {
      const received = produceOf(request);
      this.produced.push(received);
      reply = await this.script.onProduce(received);
      if (received.acks === 0 && Buffer.isBuffer(reply)) reply = 'nothing';
      muteMs = this.script.muteMs(received);
    } else {
      reply = this.script.isSilent(request) ? 'nothing' : this.#answer(request, session);
    }
    if (reply === 'close') socket.end();
    else if (reply === 'reset') socket.resetAndDestroy();
    else if (Buffer.isBuffer(reply)) socket.write(frame(request.correlationId, reply));
    else if (reply !== 'nothing') socket.write(reply.raw);
    if (muteMs > 0) await sleep(muteMs);
  }

  #answer(request: Request, session: Session): Buffer {
    switch (request.apiKey) {
      case API_VERSIONS:
        return this.#apiVersions(request);
      case METADATA:
        return this.#metadata(request);
      case SASL_HANDSHAKE:
        return Buffer.concat([int16(0), int32(1), text('PLAIN')]);
      case SASL_AUTHENTICATE:
        return this.#authenticate(request, session);
      case INIT_PRODUCER_ID: {
        const code = int16(this.script.initProducerIdCode);
        return Buffer.concat([int32(0), code, int64(this.#nextProducerId++), int16(0)]);
      }
      case DESCRIBE_CONFIGS:
        return this.#configs(request);
      case CREATE_TOPICS:
        return this.#create(request);
      default:
        throw new Error(`API key ${request.apiKey}`);
    }
  }

  #apiVersions({ version }: Request): Buffer {
    // An old broker answers a version that it does not know in the form of version 0, and without its ranges.
    if (version > (this.script.versions.get(API_VERSIONS)?.[1] ?? version))
      return Buffer.concat([int16(UNSUPPORTED_VERSION), int32(0)]);
    const ranges = [...this.script.versions].map(([key, [min, max]]) => int16(key, min, max));
    return Buffer.concat([int16(0), int32(ranges.length), ...ranges, ...(version > 0 ? [int32(0)] : [])]);
  }

  #metadata({ body, version }: Request): Buffer {
    const topic = body.subarray(4, 6 + body.readInt16BE(4));
    const { brokers, clusterId, controllerId, partitions, nodeId } = this.script;
    const list = brokers().map((b) =>
      Buffer.concat([int32(b.nodeId), text(b.host), int32(b.port), int16(-1)]),
    );
    const offline = version >= 5 ? [0] : [];
    const one = (partition: number) =>
      Buffer.concat([int16(0), int32(partition, nodeId, 1, nodeId, 1, nodeId, ...offline)]);
    return Buffer.concat([
      int32(0, list.length),
      ...list,
      clusterId === null ? int16(-1) : text(clusterId),
      int32(controllerId, 1),
      int16(0),
      topic,
      Buffer.from([0]),
      int32(partitions),
      ...Array.from({ length: partitions }, (_, partition) => one(partition)),
    ]);
  }

  #authenticate({ body, version }: Request, session: Session): Buffer {
    this.loginsAtMs.push(performance.now());
    const { password = '', sessionLifetimeMs } = this.script;
    const given = body.subarray(4).toString().split('\0')[2];
    const lifetime = version >= 1 ? [int64(BigInt(sessionLifetimeMs))] : [];
    if (given !== password) {
      const code = session.loggedIn ? ILLEGAL_SASL_STATE : SASL_AUTHENTICATION_FAILED;
      return Buffer.concat([int16(code), text(`invalid credentials, not ${given}`), int32(0), ...lifetime]);
    }
    session.loggedIn = true;
    if (sessionLifetimeMs > 0) session.endsAtMs = performance.now() + sessionLifetimeMs;
    return Buffer.concat([int16(0), int16(-1), int32(0), ...lifetime]);
  }

  #configs({ body, version }: Request): Buffer {
    const topic = body.subarray(5, 7 + body.readInt16BE(5));
    const { configs } = this.script;
    const code = typeof configs === 'number' ? configs : 0;
    const entries = (typeof configs === 'number' ? [] : configs).map(([name, value]) =>
      Buffer.concat([text(name), text(value), Buffer.from([0, 5, 0]), version >= 1 ? int32(0) : int32()]),
    );
    const head = [int32(0, 1), int16(code, -1), Buffer.from([2])];
    return Buffer.concat([...head, topic, int32(entries.length), ...entries]);
  }

  #create({ body, version }: Request): Buffer {
    const nameBytes = body.readInt16BE(4);
    const topic = body.toString('utf8', 6, 6 + nameBytes);
    let at = 6 + nameBytes + 4 + 2 + 4;
    const config: Record<string, string> = {};
    let count = body.readInt32BE(at);
    at += 4;
    const string = () => {
      const start = at + 2;
      at = start + body.readInt16BE(at);
      return body.toString('utf8', start, at);
    };
    for (; count > 0; count--) config[string()] = string();
    const received = { nodeId: this.script.nodeId, topic, config };
    this.created.push(received);
    const { code, message } = this.script.onCreate(received);
    const said = message === undefined ? int16(-1) : text(message);
    const head = version >= 2 ? int32(0, 1) : int32(1);
    return Buffer.concat([head, text(topic), int16(code), ...(version < 1 ? [] : [said])]);
  }
}

interface WithClient extends Partial<Script> {
  readonly log?: Log;
  readonly requestTimeoutMs?: number;
}

/** A scripted broker and a client of it, which logs in with the broker's password. */
export async function withClient(t: TestContext, options: WithClient = {}) {
  const { log = silent, requestTimeoutMs = REQUEST_TIMEOUT_MS, ...script } = options;
  const broker = await ScriptedBroker.start(t, script);
  const credentials = script.password === undefined ? {} : asUser(script.password);
  return {
    broker,
    client: await clientOf(t, broker, { log, requestTimeoutMs, credentials: () => credentials }),
  };
}

/** A client of the broker, closed after the test. With `knows` it has asked for the leaders. */
export async function clientOf(
  t: TestContext,
  { address }: ScriptedBroker,
  options: Partial<KafkaClientOptions> & { readonly knows?: boolean; readonly log?: Log } = {},
): Promise<KafkaClient> {
  const { knows = true, log = silent, ...rest } = options;
  const defaults = { clientId: 'test', credentials: () => ({}), requestTimeoutMs: REQUEST_TIMEOUT_MS };
  const client = new KafkaClient({ brokers: [address], ...defaults, ...rest }, log);
  t.after(() => client.close());
  if (knows) await client.topicMetadata('readings');
  return client;
}

export const asUser = (password: string) =>
  ({ sasl: { mechanism: 'plain', username: 'sluice', password } }) as const;

/** The request's error code, undefined if it succeeds. */
export const codeOf = (request: Promise<unknown>): Promise<string | undefined> =>
  request.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  );

export const rejectsWith = (work: Promise<unknown>, code: string, message = /./) =>
  assert.rejects(work, { code, message });

/** A request with one batch for each of these partitions. */
export function requestFor(
  partitions: readonly number[],
  { acks = -1, bytes = 100 }: { acks?: ProduceRequest['acks']; bytes?: number } = {},
): ProduceRequest {
  const batches = partitions.map((partition) => ({ partition, bytes: Buffer.alloc(bytes, partition) }));
  return { topic: 'readings', acks, timeoutMs: 1000, batches };
}

/** `opened` resolves when open() is called. */
export class Gate {
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

interface Session {
  loggedIn: boolean;
  endsAtMs: number;
}

function requestOf(bytes: Buffer, connection: number): Request {
  const clientBytes = Math.max(0, bytes.readInt16BE(8));
  return {
    apiKey: bytes.readInt16BE(0),
    version: bytes.readInt16BE(2),
    correlationId: bytes.readInt32BE(4),
    connection,
    body: bytes.subarray(10 + clientBytes),
  };
}

function produceOf(request: Request): ProduceReceived {
  const { body } = request;
  const nameBytes = body.readInt16BE(12);
  let at = 14 + nameBytes + 4;
  const partitions: number[] = [];
  const batches: Buffer[] = [];
  for (let count = body.readInt32BE(14 + nameBytes); count > 0; count--) {
    const size = body.readInt32BE(at + 4);
    partitions.push(body.readInt32BE(at));
    batches.push(body.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return {
    ...request,
    acks: body.readInt16BE(2),
    topic: body.toString('utf8', 14, 14 + nameBytes),
    partitions,
    batches,
  };
}

/** The body of a Produce answer with one code for all partitions of the request. */
export function producedAnswer(
  { topic, partitions, version }: ProduceReceived,
  { code = 0, throttleMs = 0 }: { code?: number; throttleMs?: number } = {},
): Buffer {
  const startOffset = version >= 5 ? [int64(0n)] : [];
  return Buffer.concat([
    int32(1),
    text(topic),
    int32(partitions.length),
    ...partitions.map((partition) =>
      Buffer.concat([int32(partition), int16(code), int64(7n), int64(-1n), ...startOffset]),
    ),
    int32(throttleMs),
  ]);
}

export const frame = (correlationId: number, body: Buffer): Buffer =>
  Buffer.concat([int32(4 + body.length, correlationId), body]);

export function int16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [i, value] of values.entries()) bytes.writeInt16BE(value, 2 * i);
  return bytes;
}

export function int32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, 4 * i);
  return bytes;
}

export function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

export function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
