// Owns the file `cursor` of a log: how far the log was acknowledged, and as which producer its batches are sent.
//
// - The file has two 64-byte slots, written in turn. The newer valid slot counts, so a torn write costs one step.
// - A slot: sequence number, acknowledged offset, the assignment (first offset, producer id, epoch, first sequence),
//   the end of the batch being sent, the cluster (8 bytes), the end of the batches stamped for another cluster (6
//   bytes), and a CRC-32C of the bytes before.
// - The cursor may be behind Kafka, then records are sent again. It must never be ahead.
// - A file that cannot be read has no state. One that cannot be opened is tried again at each write.
// - The file is opened for the first write and then stays open. Hundreds of logs that wait for their topic must not
//   take the descriptors that devices need.
import { constants, type FileHandle, open, readFile } from 'node:fs/promises';
import { crc32c } from '../checksum/crc32c.ts';
import { refuseShortWrite } from '../disk/durable-file.ts';
import { FILE_MODE } from '../disk/owner-only.ts';
import { isProcessLimit, unlessMissing } from './read-errors.ts';

const SLOT_BYTES = 64;
const CRC_AT = 60;

/** Unstamped batches from `fromOffset` on are sent as this producer, with sequences from `firstSequence` on. */
export interface Assignment {
  readonly fromOffset: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly firstSequence: number;
}

export interface CursorState {
  /** Every record below this offset is in Kafka, or in other logs (chunk-copy.ts). */
  readonly acknowledged: number;
  readonly assignment: Assignment | undefined;
  /** Records from `acknowledged` up to this offset are being sent as one batch. */
  readonly sendingEnd: number | undefined;
  /** The cluster that producer identities belong to, 0n if unknown. */
  readonly cluster: bigint;
  /** Batches below this offset may carry a producer identity of another cluster, which is void here. */
  readonly foreignEnd: number;
}

/** The state of a log from which nothing was ever sent. */
export const NEW_CURSOR: CursorState = {
  acknowledged: 0,
  assignment: undefined,
  sendingEnd: undefined,
  cluster: 0n,
  foreignEnd: 0,
};

export class Cursor {
  #path: string;
  #file: Promise<FileHandle> | undefined;
  #number = 0;
  #state: CursorState | undefined;
  #isClosed = false;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Reads the file, or creates it. A damaged, empty or unusable file has no state.
   * @throws the system's error if the process has reached one of its limits, which says nothing about the file
   */
  static async open(path: string): Promise<Cursor> {
    const cursor = new Cursor(path);
    await cursor.#load().catch((error: unknown) => {
      if (isProcessLimit(error)) throw error;
    });
    return cursor;
  }

  /** Undefined if no valid slot was found. */
  get state(): CursorState | undefined {
    return this.#state;
  }

  /** Writes the state. It survives a crash of the process, and after sync() one of the machine. */
  async write(state: CursorState): Promise<void> {
    this.#state = state;
    await this.#write(state);
  }

  /** Writes and syncs the state, and adopts it only then. @throws the system's error; then `state` is unchanged */
  async commit(state: CursorState): Promise<void> {
    await this.#write(state);
    await this.sync();
    this.#state = state;
  }

  async #write(state: CursorState): Promise<void> {
    const number = this.#number + 1;
    const file = await this.#open();
    const { bytesWritten } = await file.write(
      encode(number, state),
      0,
      SLOT_BYTES,
      (number % 2) * SLOT_BYTES,
    );
    refuseShortWrite(bytesWritten, SLOT_BYTES);
    // Only now: after a failed write the next one must use the same slot, so that the other slot stays whole.
    this.#number = number;
  }

  /** The log's folder was renamed. */
  moved(path: string): void {
    this.#path = path;
  }

  async sync(): Promise<void> {
    await (await this.#file)?.datasync();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await (await file?.catch(() => undefined))?.close();
  }

  async #load(): Promise<void> {
    const file = await this.#open();
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(2 * SLOT_BYTES), 0, 2 * SLOT_BYTES, 0);
      const newest = newestSlot(buffer.subarray(0, bytesRead));
      if (newest === undefined) return;
      this.#number = newest.number;
      this.#state = newest.state;
      // A process that was killed may not have synced this state. This start acts on it, so it must be durable.
      await file.datasync();
    } finally {
      await this.#closeFile();
    }
  }

  async #open(): Promise<FileHandle> {
    // After close() another process may have the log.
    if (this.#isClosed) throw new Error('the cursor is closed');
    this.#file ??= open(this.#path, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
    try {
      return await this.#file;
    } catch (error) {
      this.#file = undefined;
      throw error;
    }
  }
}

/**
 * The state in a cursor's file, without opening the log. Undefined if the file is missing or has no valid slot.
 * @throws the system's error if the file cannot be read
 */
export async function readCursor(path: string): Promise<CursorState | undefined> {
  const file = await unlessMissing(readFile(path));
  return file && newestSlot(file)?.state;
}

interface Slot {
  readonly number: number;
  readonly state: CursorState;
}

function newestSlot(file: Buffer): Slot | undefined {
  const slots = [0, 1].flatMap((index) => decode(file, index) ?? []);
  return slots.sort((a, b) => b.number - a.number)[0];
}

function encode(number: number, state: CursorState): Buffer {
  const { acknowledged, assignment, sendingEnd, cluster, foreignEnd } = state;
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeDoubleBE(number, 0);
  slot.writeDoubleBE(acknowledged, 8);
  slot.writeDoubleBE(assignment?.fromOffset ?? -1, 16);
  slot.writeBigInt64BE(assignment?.producerId ?? -1n, 24);
  slot.writeInt16BE(assignment?.producerEpoch ?? -1, 32);
  slot.writeInt32BE(assignment?.firstSequence ?? -1, 34);
  slot.writeDoubleBE(sendingEnd ?? -1, 38);
  slot.writeBigUInt64BE(cluster, 46);
  slot.writeUIntBE(foreignEnd, 54, 6);
  slot.writeUInt32BE(crc32c(slot.subarray(0, CRC_AT)), CRC_AT);
  return slot;
}

function decode(file: Buffer, index: number): Slot | undefined {
  const slot = file.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES);
  if (slot.length < SLOT_BYTES || slot.readUInt32BE(CRC_AT) !== crc32c(slot.subarray(0, CRC_AT)))
    return undefined;
  const fromOffset = slot.readDoubleBE(16);
  const assignment = {
    fromOffset,
    producerId: slot.readBigInt64BE(24),
    producerEpoch: slot.readInt16BE(32),
    firstSequence: slot.readInt32BE(34),
  };
  const sendingEnd = slot.readDoubleBE(38);
  return {
    number: slot.readDoubleBE(0),
    state: {
      acknowledged: slot.readDoubleBE(8),
      assignment: fromOffset < 0 ? undefined : assignment,
      sendingEnd: sendingEnd < 0 ? undefined : sendingEnd,
      // A cursor of an older version has zeros here: the cluster is unknown.
      cluster: slot.readBigUInt64BE(46),
      foreignEnd: slot.readUIntBE(54, 6),
    },
  };
}
