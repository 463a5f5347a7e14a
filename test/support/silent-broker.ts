// A Kafka broker that answers everything it is asked at a client's start and no Produce request: a broker that froze
// after the gateway had found it. It speaks only the versions that it names in its answer to ApiVersions.
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { FrameSplitter, METADATA, PRODUCE, requestHead } from '../../scripts/kafka/frames.ts';

const API = {
  produce: PRODUCE,
  metadata: METADATA,
  saslHandshake: 17,
  apiVersions: 18,
  initProducerId: 22,
  describeConfigs: 32,
};
/** Each API with the lowest and the highest version it takes. */
const versions = (maxProduce: number) => [
  [API.produce, 3, maxProduce],
  [API.metadata, 0, 6],
  [API.apiVersions, 0, 2],
  [API.initProducerId, 0, 1],
  [API.describeConfigs, 0, 0],
];
const NODE_ID = 1;
const HOST = '127.0.0.1';

export interface SilentBroker {
  /** For KAFKA_BROKERS. */
  readonly bootstrap: string;
  /** Produce requests that came, none of which was answered. */
  readonly produceRequests: number;
}

/** Listens until the test ends. */
export async function silentBroker(
  t: TestContext,
  { partitions, maxProduce = 7 }: { partitions: number; maxProduce?: number },
): Promise<SilentBroker> {
  const spoken = versions(maxProduce);
  let produceRequests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    const requests = new FrameSplitter();
    socket.on('data', (chunk: Buffer) => {
      for (const request of requests.push(chunk)) {
        const answer = answerTo(request);
        if (answer === undefined) produceRequests++;
        else socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;

  function answerTo(request: Buffer): Buffer | undefined {
    const { apiKey, apiVersion, correlationId } = requestHead(request);
    const at = 14 + Math.max(0, request.readInt16BE(12));
    const body = bodyFor(apiKey, apiVersion, request.subarray(at));
    return body && Buffer.concat([i32(4 + body.length), i32(correlationId), body]);
  }

  function bodyFor(api: number, version: number, request: Buffer): Buffer | undefined {
    switch (api) {
      case API.produce:
        return undefined;
      case API.apiVersions:
        return Buffer.concat([
          ...[i16(0), i32(spoken.length), ...spoken.flat().map(i16)],
          ...(version > 0 ? [i32(0)] : []),
        ]);
      case API.metadata:
        return metadata(request, version);
      case API.initProducerId:
        return Buffer.concat([i32(0), i16(0), i64(1000n), i16(0)]);
      case API.describeConfigs:
        return Buffer.concat([
          ...[i32(0), i32(1), i16(0), i16(-1), i8(2), text('t')],
          ...[i32(1), text('max.message.bytes'), text('1048588'), i8(0), i8(0), i8(0)],
        ]);
      default:
        throw new Error(`the silent broker has no answer to API ${api}`);
    }
  }

  function metadata(request: Buffer, version: number): Buffer {
    const topics = readTexts(request);
    const throttle = version >= 3 ? [i32(0)] : [];
    const cluster = version >= 2 ? [text('silent')] : [];
    const offline = version >= 5 ? [i32(0)] : [];
    const ids = i32(NODE_ID);
    const partition = (id: number) => [i16(0), i32(id), ids, i32(1), ids, i32(1), ids, ...offline];
    const all = Array.from({ length: partitions }, (_, id) => partition(id)).flat();
    return Buffer.concat([
      ...[...throttle, i32(1), ids, text(HOST), i32(port), i16(-1), ...cluster, ids, i32(topics.length)],
      ...topics.flatMap((topic) => [i16(0), text(topic), i8(0), i32(partitions), ...all]),
    ]);
  }

  return {
    bootstrap: `${HOST}:${port}`,
    get produceRequests() {
      return produceRequests;
    },
  };
}

/** Reads Kafka's array of strings. A null array is empty. */
function readTexts(bytes: Buffer): string[] {
  const texts: string[] = [];
  let at = 4;
  for (let left = bytes.readInt32BE(0); left > 0; left--) {
    const length = bytes.readInt16BE(at);
    texts.push(bytes.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  return texts;
}

function text(value: string): Buffer {
  return Buffer.concat([i16(Buffer.byteLength(value)), Buffer.from(value)]);
}
const i8 = (value: number): Buffer => Buffer.from([value]);
function i16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
function i64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
