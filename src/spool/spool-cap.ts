// Counts the bytes that the spools of a process have on disk against their cap (SPOOL_MAX_BYTES or SPOOL_DEAD_BYTES).
// Bytes that a start finds count even beyond the cap.

export class SpoolCap {
  readonly maxBytes: number;
  /** The setting that the limit comes from, for messages. */
  readonly setting: string;
  #bytes = 0;

  constructor(maxBytes: number, setting = 'SPOOL_MAX_BYTES') {
    this.maxBytes = maxBytes;
    this.setting = setting;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that reserve() still takes. */
  get free(): number {
    return Math.max(0, this.maxBytes - this.#bytes);
  }

  /** False, with nothing reserved, if the bytes would exceed the cap. */
  reserve(bytes: number): boolean {
    if (this.#bytes + bytes > this.maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Counts bytes even beyond the cap. */
  claim(bytes: number): void {
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
