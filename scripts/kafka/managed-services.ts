// Makes a broker behind the broker proxy as narrow as a managed service: its missing requests and versions, its refusals, its
// limits. The sources are the services' own pages and reports of their users; nobody has run the services themselves here.
import { batchesIn, errorsIn, METADATA, PRODUCE, type RequestHead } from './frames.ts';

/** The proxy asks it for each request. */
export interface ServiceProfile {
  /** A larger request closes its connection without an answer. 0 = no limit. */
  readonly maxRequestBytes: number;
  /** Undefined: request and answer pass as they are. */
  treat(request: Buffer, head: RequestHead): Treated | undefined;
}

export interface Treated {
  /** Makes the answer that the client gets from that of the broker. */
  readonly answer: (answer: Buffer) => Buffer;
  /** For this long the broker reads nothing more from the client, as under a quota. */
  readonly muteMs?: number;
}

const CREATE_TOPICS = 19;
const API_VERSIONS = 18;
const DESCRIBE_CONFIGS = 32;
const DESCRIBE_QUORUM = 55;

const CORRUPT_MESSAGE = 2;
const TOPIC_AUTHORIZATION_FAILED = 29;
const CLUSTER_AUTHORIZATION_FAILED = 31;
const UNSUPPORTED_FOR_MESSAGE_FORMAT = 43;
const POLICY_VIOLATION = 44;

const GZIP = 1;

/**
 * Azure Event Hubs: gzip is the only codec, in the tiers Premium and Dedicated; other codecs are answered with error 43,
 * and requests of more than 1,046,528 bytes close the connection
 * (https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations).
 */
export const eventHubs = (tier: 'standard' | 'premium'): ServiceProfile => ({
  maxRequestBytes: 1_046_528,
  treat(request, head) {
    if (head.apiKey === API_VERSIONS)
      return { answer: (answer) => limitVersions(answer, { [METADATA]: 7, [DESCRIBE_QUORUM]: -1 }) };
    if (head.apiKey !== PRODUCE) return undefined;
    const taken = tier === 'premium' ? [0, GZIP] : [0];
    const refused = batchesIn(request, head).some((at) => !taken.includes(codecAt(request, at)));
    return refused ? refuseBatches(request, head, UNSUPPORTED_FOR_MESSAGE_FORMAT) : undefined;
  },
});

/**
 * Confluent Cloud with a service account that may only write: topics cannot be created or described, the cluster neither;
 * and each client is throttled (https://docs.confluent.io/cloud/current/security/access-control/acl.html).
 */
export const confluentCloud = (): ServiceProfile => ({
  maxRequestBytes: 0,
  treat(request, head) {
    switch (head.apiKey) {
      case CREATE_TOPICS:
        onlyValidate(request, head);
        return { answer: (answer) => refuseCreation(answer, head, TOPIC_AUTHORIZATION_FAILED) };
      case DESCRIBE_CONFIGS:
        return { answer: (answer) => refuseConfigs(answer, TOPIC_AUTHORIZATION_FAILED) };
      case DESCRIBE_QUORUM:
        return { answer: (answer) => quorumRefusal(answer, CLUSTER_AUTHORIZATION_FAILED) };
      case PRODUCE:
        return { answer: (answer) => throttle(answer, THROTTLE_MS), muteMs: THROTTLE_MS };
    }
    return undefined;
  },
});

const THROTTLE_MS = 150;

/** An administrator of Confluent Cloud may create topics, with three replicas only. */
export const confluentCloudAdmin = (): ServiceProfile => ({
  maxRequestBytes: 0,
  treat(request, head) {
    if (head.apiKey !== CREATE_TOPICS) return undefined;
    onlyValidate(request, head);
    const why = 'Topic replication factor must be 3';
    return { answer: (answer) => refuseCreation(answer, head, POLICY_VIOLATION, why) };
  },
});

/**
 * Redpanda: no DescribeQuorum, its own choice among Kafka's error codes while it moves partitions or has no disk or memory,
 * and codes that Kafka does not have (https://docs.redpanda.com/current/develop/kafka-clients/).
 */
export const redpanda = (codes: readonly number[], everyNth: number): ServiceProfile => {
  let produced = 0;
  let refused = 0;
  return {
    maxRequestBytes: 0,
    treat(request, head) {
      if (head.apiKey === API_VERSIONS)
        return { answer: (answer) => limitVersions(answer, { [DESCRIBE_QUORUM]: -1 }) };
      if (head.apiKey !== PRODUCE || ++produced % everyNth !== 0) return undefined;
      const code = codes[refused++ % codes.length];
      return code === undefined ? undefined : refuseBatches(request, head, code);
    },
  };
};

/** Bytes before the checksum, and before the attributes, in a record batch. */
const CHECKSUM_AT = 17;
const ATTRIBUTES_AT = 21;

const codecAt = (request: Buffer, batchAt: number) => request.readInt16BE(batchAt + ATTRIBUTES_AT) & 7;

/** The broker refuses the batches because of their checksums, so none is stored, and the answer gets this code. */
function refuseBatches(request: Buffer, head: RequestHead, code: number): Treated {
  for (const at of batchesIn(request, head))
    request.writeInt32BE(~request.readInt32BE(at + CHECKSUM_AT), at + CHECKSUM_AT);
  return {
    answer: (answer) => {
      for (const at of errorsIn(answer, head)) {
        if (answer.readInt16BE(at) !== CORRUPT_MESSAGE) throw new Error('the broker took a damaged batch');
        answer.writeInt16BE(code, at);
      }
      return answer;
    },
  };
}

/** @param newest the newest version of some requests, -1 if there is none. For answers of the versions 0 to 2 */
function limitVersions(answer: Buffer, newest: Readonly<Record<number, number>>): Buffer {
  // After size, correlation id and error code.
  const countAt = 10;
  const count = answer.readInt32BE(countAt);
  const rows = Array.from({ length: count }, (_, i) => answer.subarray(countAt + 4 + 6 * i).subarray(0, 6));
  const kept = rows.filter((row) => {
    const limit = newest[row.readInt16BE(0)] ?? Number.POSITIVE_INFINITY;
    if (row.readInt16BE(4) > limit) row.writeInt16BE(Math.max(0, limit), 4);
    return limit >= 0;
  });
  const head = Buffer.from(answer.subarray(0, countAt + 4));
  head.writeInt32BE(kept.length, countAt);
  return framed(Buffer.concat([head, ...kept, answer.subarray(countAt + 4 + 6 * count)]));
}

function framed(frame: Buffer): Buffer {
  frame.writeInt32BE(frame.length - 4, 0);
  return frame;
}

/** The last byte of the versions 1 to 4 says whether the broker only checks the request. */
function onlyValidate(request: Buffer, { apiVersion }: RequestHead): void {
  if (apiVersion < 1 || apiVersion > 4)
    throw new Error(`CreateTopics version ${apiVersion} is not known here`);
  request[request.length - 1] = 1;
}

/** For one topic. */
function refuseCreation(
  answer: Buffer,
  { apiVersion }: RequestHead,
  code: number,
  message: string | null = null,
): Buffer {
  // After size and correlation id a throttle time since version 2, then the number of topics.
  const nameAt = 8 + (apiVersion >= 2 ? 4 : 0) + 4;
  const codeAt = nameAt + 2 + answer.readInt16BE(nameAt);
  const head = Buffer.from(answer.subarray(0, codeAt));
  return framed(Buffer.concat([head, int16(code), nullable(message)]));
}

/** For one resource, in the versions 0 to 3: throttle time, number of resources, then the code. */
function refuseConfigs(answer: Buffer, code: number): Buffer {
  const codeAt = 8 + 4 + 4;
  const messageAt = codeAt + 2;
  const typeAt = messageAt + 2 + Math.max(0, answer.readInt16BE(messageAt));
  const entriesAt = typeAt + 1 + 2 + answer.readInt16BE(typeAt + 1);
  const head = Buffer.from(answer.subarray(0, codeAt));
  const about = answer.subarray(typeAt, entriesAt);
  const nothing = Buffer.alloc(4);
  return framed(Buffer.concat([head, int16(code), nullable(null), about, nothing]));
}

/** Size, correlation id and no tags; then the code, no topics, no tags. */
function quorumRefusal(answer: Buffer, code: number): Buffer {
  const head = Buffer.from(answer.subarray(0, 9));
  return framed(Buffer.concat([head, int16(code), Buffer.of(1, 0)]));
}

/** The throttle time is at the end of the versions 1 to 8. */
function throttle(answer: Buffer, ms: number): Buffer {
  answer.writeInt32BE(ms, answer.length - 4);
  return answer;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

const nullable = (text: string | null) =>
  text === null ? int16(-1) : Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
