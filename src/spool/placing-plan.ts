// Owns the file with the plan of the current copy from one log into several partitions' logs. The plan is on disk before
// the copy begins, so that a start after a crash can cut off an unfinished copy.
//
// - The file: a CRC-32C (4 bytes) of the rest, the length of the JSON (4 bytes), the JSON. It is overwritten in place.
// - If the file is missing, torn or damaged, no copy had begun: a copy begins only after its plan is synced.
// - A plan is finished if its source is acknowledged up to `to`.
import { type FileHandle, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32c } from '../checksum/crc32c.ts';
import { refuseShortWrite, syncDirectory } from '../disk/durable-file.ts';
import { FILE_MODE } from '../disk/owner-only.ts';
import { unlessMissing } from './read-errors.ts';

export interface PlacingPlan {
  /** The source's folder. */
  readonly source: string;
  /** The source's offsets [from, to) are copied. */
  readonly from: number;
  readonly to: number;
  /** The topic's number of partitions. */
  readonly partitions: number;
  /** Each target partition, with the end of its log before the copy. */
  readonly targets: readonly (readonly [partition: number, offset: number])[];
}

const HEAD_BYTES = 8;

/** Undefined if there is no complete plan. @throws the system's error if the file cannot be read */
export async function readPlan(path: string): Promise<PlacingPlan | undefined> {
  const file = await unlessMissing(readFile(path));
  return file && decode(file);
}

/** Removes the plan, durably. A start must not apply a stale plan to newer logs. */
export async function removePlan(path: string): Promise<void> {
  await unlessMissing(unlink(path).then(() => syncDirectory(dirname(path))));
}

/** Writes plans into one file, each over the plan before. */
export class PlanFile {
  readonly path: string;
  #file: FileHandle | undefined;
  #isNamed = false;

  constructor(path: string) {
    this.path = path;
  }

  /** The plan is durable once this resolves. @throws the system's error; then the copy must not begin */
  async write(plan: PlacingPlan): Promise<void> {
    this.#file ??= await open(this.path, 'w', FILE_MODE);
    const bytes = encode(plan);
    const { bytesWritten } = await this.#file.write(bytes, 0, bytes.length, 0);
    refuseShortWrite(bytesWritten, bytes.length);
    await this.#file.datasync();
    if (this.#isNamed) return;
    await syncDirectory(dirname(this.path));
    this.#isNamed = true;
  }

  async remove(): Promise<void> {
    await this.close();
    await removePlan(this.path);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    this.#isNamed = false;
    await file?.close();
  }
}

function encode(plan: PlacingPlan): Buffer {
  const json = Buffer.from(JSON.stringify(plan));
  const bytes = Buffer.alloc(HEAD_BYTES + json.length);
  bytes.writeUInt32BE(json.length, 4);
  json.copy(bytes, HEAD_BYTES);
  bytes.writeUInt32BE(crc32c(bytes.subarray(4)), 0);
  return bytes;
}

function decode(file: Buffer): PlacingPlan | undefined {
  if (file.length < HEAD_BYTES) return undefined;
  const end = HEAD_BYTES + file.readUInt32BE(4);
  if (end > file.length || file.readUInt32BE(0) !== crc32c(file.subarray(4, end))) return undefined;
  return JSON.parse(file.toString('utf8', HEAD_BYTES, end)) as PlacingPlan;
}
