// How many bytes the spools of a process may have on disk together (SPOOL_MAX_BYTES, or SPOOL_DEAD_BYTES). Bytes that
// are found at a start count, even if they are more than that.

export class SpoolCap {
  readonly maxBytes: number;
  /** The setting that the limit comes from, for messages. */
  readonly setting: string;
  #bytes = 0;

  constructor(maxBytes: number, setting = 'SPOOL_MAX_BYTES') {
    this.maxBytes = maxBytes;
    this.setting = setting;
  }

  /** On disk now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** False if there is no room; then nothing was reserved. */
  reserve(bytes: number): boolean {
    if (this.#bytes + bytes > this.maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Counts bytes that are on disk whether there is room or not. */
  claim(bytes: number): void {
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
