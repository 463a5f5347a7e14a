// Reads and changes the frames that the broker proxy forwards: heads of requests, the leader in answers to produce
// requests, and the brokers' ports in metadata answers. It shares no code with the gateway.

export const PRODUCE = 0;
export const METADATA = 3;
export const SASL_AUTHENTICATE = 36;

/** Cuts a stream into frames, each with its size field of four bytes. */
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

export type RequestHead = Readonly<ReturnType<typeof requestHead>>;

export function requestHead(frame: Buffer) {
  const [apiKey, apiVersion] = [frame.readInt16BE(4), frame.readInt16BE(6)];
  return { apiKey, apiVersion, correlationId: frame.readInt32BE(8) };
}

export const answeredId = (frame: Buffer): number => frame.readInt32BE(4);

/** The throttle time at the end of an answer to a produce request. */
export function throttledMs(frame: Buffer, { apiVersion }: RequestHead): number {
  // Flexible versions end with the number of tagged fields, one byte. Brokers send none with a success.
  return frame.readInt32BE(frame.length - (apiVersion < 9 ? 4 : 5));
}

const NOT_LEADER_OR_FOLLOWER = 6;

/** Changes the first partition's error code in an answer to a produce request to NOT_LEADER_OR_FOLLOWER, in place. */
export function disown(frame: Buffer, { apiVersion }: RequestHead): void {
  if (apiVersion > 8) throw new Error(`produce version ${apiVersion} is not known here`);
  // Before the code: size, correlation id, number of topics, name, number of partitions, number of the first partition.
  const nameAt = 4 + 4 + 4;
  frame.writeInt16BE(NOT_LEADER_OR_FOLLOWER, nameAt + 2 + frame.readInt16BE(nameAt) + 4 + 4);
}

/** Replaces the brokers' ports in a metadata answer, in place. For versions with a throttle time and fixed sizes. */
export function redirect(frame: Buffer, { apiVersion }: RequestHead, portOf: (port: number) => number): void {
  if (apiVersion < 3 || apiVersion > 8) throw new Error(`metadata version ${apiVersion} is not known here`);
  let at = 12;
  let brokers = frame.readInt32BE(at);
  at += 4;
  for (; brokers > 0; brokers--) {
    const portAt = at + 4 + 2 + frame.readInt16BE(at + 4);
    frame.writeInt32BE(portOf(frame.readInt32BE(portAt)), portAt);
    at = portAt + 4 + 2 + Math.max(0, frame.readInt16BE(portAt + 4));
  }
}

/** The place of each record batch in a produce request of version 3 to 8. */
export function batchesIn(frame: Buffer, { apiVersion }: RequestHead): number[] {
  if (apiVersion < 3 || apiVersion > 8) throw new Error(`produce version ${apiVersion} is not known here`);
  const walk = new Walk(frame, 12);
  walk.string();
  walk.string();
  // Acks and time limit.
  walk.skip(2 + 4);
  const places: number[] = [];
  walk.array(() => {
    walk.string();
    walk.array(() => {
      walk.skip(4);
      const bytes = walk.int32();
      places.push(walk.at);
      walk.skip(Math.max(0, bytes));
    });
  });
  return places;
}

/** The place of the error code of each partition in an answer to a produce request of version 3 to 7. */
export function errorsIn(frame: Buffer, { apiVersion }: RequestHead): number[] {
  if (apiVersion < 3 || apiVersion > 7) throw new Error(`produce version ${apiVersion} is not known here`);
  const walk = new Walk(frame, 8);
  const places: number[] = [];
  walk.array(() => {
    walk.string();
    walk.array(() => {
      walk.skip(4);
      places.push(walk.at);
      // Code, offset, time; since version 5 the first offset of the log.
      walk.skip(2 + 8 + 8 + (apiVersion >= 5 ? 8 : 0));
    });
  });
  return places;
}

/** Steps through a frame whose sizes are fixed or come before the bytes. */
class Walk {
  at: number;
  readonly #frame: Buffer;

  constructor(frame: Buffer, at: number) {
    this.#frame = frame;
    this.at = at;
  }

  skip(bytes: number): void {
    this.at += bytes;
  }

  int32(): number {
    this.at += 4;
    return this.#frame.readInt32BE(this.at - 4);
  }

  string(): void {
    this.at += 2 + Math.max(0, this.#frame.readInt16BE(this.at));
  }

  array(each: () => void): void {
    for (let left = this.int32(); left > 0; left--) each();
  }
}
