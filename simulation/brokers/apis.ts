// The requests that simulated brokers know, each with its versions, and who answers it. Kafka 4.1 knows more of both; the
// gateway asks for none of them.
import type { BrokerNode } from './broker-node.ts';
import { answerCreateTopics, answerDescribeConfigs, answerInitProducerId } from './cluster-apis.ts';
import { CODE } from './error-codes.ts';
import type { Login } from './logins.ts';
import { MECHANISMS } from './logins.ts';
import { answerMetadata } from './metadata-api.ts';
import { answerProduce } from './produce-api.ts';
import { answerFetch, answerListOffsets } from './read-apis.ts';
import { Reader, Writer } from './wire.ts';

export const API = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  saslHandshake: 17,
  apiVersions: 18,
  createTopics: 19,
  initProducerId: 22,
  describeConfigs: 32,
  saslAuthenticate: 36,
} as const;

export interface Request {
  readonly apiKey: number;
  readonly version: number;
  readonly correlationId: number;
  /** Of the whole frame. */
  readonly bytes: number;
  /** The bytes after the header. */
  readonly body: Buffer;
}

export interface Reply {
  /** Undefined = no answer. */
  readonly body?: Buffer;
  /** For how long the broker reads nothing afterwards. */
  readonly mutedMs?: number;
  /** The connection ends after the answer. */
  readonly closes?: boolean;
}

export interface ApiContext {
  readonly node: BrokerNode;
  readonly login: Login;
}

/** Calls `done` once. @throws RangeError if the request cannot be read */
export type Answer = (request: Request, context: ApiContext, done: (reply: Reply) => void) => void;

interface Api {
  readonly min: number;
  readonly max: number;
  readonly answer: Answer;
}

/** Versions from that of Kafka 4.1 up to the newest that the gateway or kafkajs uses. */
const APIS: ReadonlyMap<number, Api> = new Map([
  [API.produce, { min: 3, max: 7, answer: answerProduce }],
  [API.fetch, { min: 4, max: 11, answer: answerFetch }],
  [API.listOffsets, { min: 1, max: 3, answer: answerListOffsets }],
  [API.metadata, { min: 4, max: 8, answer: answerMetadata }],
  [API.saslHandshake, { min: 0, max: 1, answer: answerHandshake }],
  [API.apiVersions, { min: 0, max: 2, answer: answerApiVersions }],
  [API.createTopics, { min: 2, max: 3, answer: answerCreateTopics }],
  [API.initProducerId, { min: 0, max: 1, answer: answerInitProducerId }],
  [API.describeConfigs, { min: 1, max: 2, answer: answerDescribeConfigs }],
  [API.saslAuthenticate, { min: 0, max: 1, answer: answerAuthenticate }],
]);

export function isKnown({ apiKey, version }: Request): boolean {
  const api = APIS.get(apiKey);
  if (api === undefined) return false;
  // The answer to a newer ApiVersions says which ones there are.
  return apiKey === API.apiVersions || (version >= api.min && version <= api.max);
}

export const answerTo: Answer = (request, context, done) =>
  APIS.get(request.apiKey)?.answer(request, context, done);

function answerApiVersions({ version }: Request, _: ApiContext, done: (reply: Reply) => void): void {
  const isTooNew = version > (APIS.get(API.apiVersions)?.max ?? 0);
  const answer = new Writer().int16(isTooNew ? CODE.unsupportedVersion : CODE.none);
  const apis = [...APIS].filter(([key]) => !isTooNew || key === API.apiVersions);
  answer.array(apis, (write, [key, { min, max }]) => write.int16(key).int16(min).int16(max));
  if (version >= 1 && !isTooNew) answer.int32(0);
  done({ body: answer.buffer });
}

function answerHandshake({ body }: Request, { login }: ApiContext, done: (reply: Reply) => void): void {
  const code = login.handshake(new Reader(body).string());
  const names = code === CODE.illegalSaslState ? [] : MECHANISMS;
  const answer = new Writer().int16(code).array(names, (write, name) => write.string(name));
  done({ body: answer.buffer, closes: code === CODE.unsupportedSaslMechanism });
}

function answerAuthenticate(
  { body, version }: Request,
  { node, login }: ApiContext,
  done: (reply: Reply) => void,
): void {
  const { code, message, bytes } = login.authenticate(new Reader(body).bytes(), node.context.clock.nowMs());
  const answer = new Writer()
    .int16(code)
    .string(message ?? null)
    .bytes(bytes);
  if (version >= 1) answer.int64(login.lifetimeMs);
  const isRefused = code === CODE.saslAuthenticationFailed;
  if (isRefused) {
    node.context.note(`broker ${node.id} refuses a login`);
    node.context.counts.refusedLoginsAtMs.push(node.context.clock.nowMs());
  }
  done({ body: answer.buffer, closes: isRefused });
}
