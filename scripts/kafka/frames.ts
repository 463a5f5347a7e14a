// Kafka's wire as a proxy needs it: whole frames out of a stream, which answer belongs to which request, and
// metadata answers that lead clients to the proxies instead of the brokers.

export const PRODUCE = 0;
export const METADATA = 3;
export const SASL_AUTHENTICATE = 36;

/** Cuts a stream into frames, each with its size field (four bytes) in front. */
export class FrameSplitter {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #wanted = 4;

  push(chunk: Buffer): Buffer[] {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wanted) return [];
    let rest = Buffer.concat(this.#held);
    const frames: Buffer[] = [];
    for (;;) {
      this.#wanted = rest.length < 4 ? 4 : 4 + rest.readInt32BE(0);
      if (rest.length < this.#wanted) break;
      frames.push(rest.subarray(0, this.#wanted));
      rest = rest.subarray(this.#wanted);
    }
    this.#held = [rest];
    this.#heldBytes = rest.length;
    return frames;
  }
}

export interface RequestHead {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
}

export function requestHead(frame: Buffer): RequestHead {
  return {
    apiKey: frame.readInt16BE(4),
    apiVersion: frame.readInt16BE(6),
    correlationId: frame.readInt32BE(8),
  };
}

export const answeredId = (frame: Buffer): number => frame.readInt32BE(4);

/** How long the broker wants no more of this client, from the end of a whole answer to a produce request. */
export function throttledMs(frame: Buffer, { apiVersion }: RequestHead): number {
  // Flexible versions end with a byte for tagged fields, of which a broker sends none when all went well.
  return frame.readInt32BE(frame.length - (apiVersion < 9 ? 4 : 5));
}

const NOT_LEADER_OR_FOLLOWER = 6;

/** Has an answer to a produce request say, in place, that the broker does not lead the first partition. */
export function disown(frame: Buffer, { apiVersion }: RequestHead): void {
  if (apiVersion > 8) throw new Error(`produce version ${apiVersion} is not known here`);
  // Size, correlation id, number of topics, the topic's name, number of partitions, the first one's number.
  const nameAt = 4 + 4 + 4;
  frame.writeInt16BE(NOT_LEADER_OR_FOLLOWER, nameAt + 2 + frame.readInt16BE(nameAt) + 4 + 4);
}

/** Replaces the brokers' ports in a metadata answer, in place. For the versions with a throttle time and fixed sizes. */
export function redirect(frame: Buffer, { apiVersion }: RequestHead, portOf: (port: number) => number): void {
  if (apiVersion < 3 || apiVersion > 8) throw new Error(`metadata version ${apiVersion} is not known here`);
  let at = 12;
  let brokers = frame.readInt32BE(at);
  at += 4;
  for (; brokers > 0; brokers--) {
    at += 4;
    at += 2 + frame.readInt16BE(at);
    frame.writeInt32BE(portOf(frame.readInt32BE(at)), at);
    at += 4;
    at += 2 + Math.max(0, frame.readInt16BE(at));
  }
}
