// Asks a real broker for its versions of each request, and chooses among them as the gateway does.
import { once } from 'node:events';
import { connect } from 'node:net';
import { API_NAMES, type BrokerVersions, commonVersion } from '../../src/kafka/client/api-versions.ts';
import { startKafka } from '../kafka/cluster.ts';
import { FrameSplitter } from '../kafka/frames.ts';
import type { KafkaVersion } from '../kafka/version.ts';

/** Version 0, which every broker since 0.10 answers; without a client id. */
const API_VERSIONS = Buffer.from('0000000a' + '0012' + '0000' + '00000000' + 'ffff', 'hex');

/** The version that is chosen for each request; null if there is none in common. Starts a broker and stops it. */
export async function chosenRequests(version: KafkaVersion): Promise<Record<string, number | null>> {
  const cluster = await startKafka({ version, quickJit: true });
  try {
    const versions = await versionsOf(cluster.bootstrap);
    return Object.fromEntries(API_NAMES.map((api) => [api, commonVersion(versions, api) ?? null]));
  } finally {
    await cluster.stop();
  }
}

async function versionsOf(address: string): Promise<BrokerVersions> {
  const [host = '', port] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  try {
    await once(socket, 'connect');
    socket.write(API_VERSIONS);
    const frames = new FrameSplitter();
    for await (const chunk of socket) {
      const [frame] = frames.push(chunk as Buffer);
      if (frame !== undefined) return decode(frame);
    }
    throw new Error(`${address} closed the connection instead of telling its versions`);
  } finally {
    socket.destroy();
  }
}

/** @param frame size, correlation id, error code, number of requests, and three numbers for each */
function decode(frame: Buffer): BrokerVersions {
  const first = 4 + 4 + 2 + 4;
  const ranges = Array.from({ length: frame.readInt32BE(first - 4) }, (_, index) => {
    const at = first + index * 6;
    const range = { minVersion: frame.readInt16BE(at + 2), maxVersion: frame.readInt16BE(at + 4) };
    return [frame.readInt16BE(at), range] as const;
  });
  return Object.fromEntries(ranges);
}
