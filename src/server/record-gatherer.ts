// Gathers the short records that one read of a TLS connection brings. TLS gives each record by itself, however many came
// together, and handing each on as a read of its own costs as much as the line in it (docs/decisions/0082). It neither
// reads nor pauses a socket.
import { Memory, SHORT_BYTES, type Slab, slabs } from './slabs.ts';

/** Hears of the records of one socket. */
interface RecordReader {
  /** A record came. Its bytes follow, perhaps together with those of the next ones. */
  onRecord?(): void;
  /** Their slab, if any, must be held before this returns. */
  onBytes(bytes: Uint8Array, slab: Slab | undefined): void;
}

const GATHERED_BYTES = 8 * 1024;

export class RecordGatherer {
  readonly #memory = new Memory(GATHERED_BYTES);
  #length = 0;
  /** Whose records are gathered. */
  #reader: RecordReader | undefined;
  #isScheduled = false;

  /** Takes the first bytes of `memory`, the next record of `reader`. They are handed on before the event loop goes on. */
  add(reader: RecordReader, memory: Memory, length: number): void {
    reader.onRecord?.();
    // One more copy would cost as much as it saves.
    if (length > SHORT_BYTES) {
      this.handOn();
      give(reader, memory, length);
      return;
    }
    if (reader !== this.#reader || this.#length + length > GATHERED_BYTES) this.handOn();
    this.#reader = reader;
    this.#memory.write(this.#length, memory, length);
    this.#length += length;
    if (!this.#isScheduled) this.#schedule();
  }

  /** Hands on the gathered records. */
  handOn(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const length = this.#length;
    this.#reader = undefined;
    this.#length = 0;
    give(reader, this.#memory, length);
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.handOn();
    });
  }
}

function give(reader: RecordReader, memory: Memory, length: number): void {
  const { bytes, slab } = slabs.copy(memory, length);
  reader.onBytes(bytes, slab);
}

/** One for the process: connections read one after the other. */
export const recordGatherer = new RecordGatherer();
