// The bytes of one device and the way back to it, whatever carries them: plain TCP or TLS. It does not look into the
// bytes.
import type { Slab } from './slabs.ts';

/** Whoever reads a source. Stages and then the connection take it over from each other. */
export interface SourceTaker {
  /** The slab, if any, must be held before this returns, or later reads overwrite the bytes. */
  onBytes(bytes: Uint8Array, slab: Slab | undefined): void;
  /** Bytes came after pause(), so unreadBytes has grown. */
  onUnread?(): void;
  /** The device sends nothing more. It may still read. */
  onEnd(): void;
  /** Nothing more can be read or written. Called once, also after destroy(). */
  onClose(): void;
}

export interface ByteSource {
  readonly isTls: boolean;
  readonly destroyed: boolean;
  /** False once end() was called or the source is closed. */
  readonly writable: boolean;
  /** Bytes of write() that the kernel has not taken. */
  readonly writableLength: number;
  /** Memory of the bytes that came and wait for resume(). */
  readonly unreadBytes: number;
  /** From now on this taker is called. Nothing is read until resume(). */
  take(taker: SourceTaker): void;
  pause(): void;
  resume(): void;
  /** @param taken called when the kernel has taken the data, or when it cannot any more */
  write(data: string | Uint8Array, taken?: () => void): void;
  /** The last bytes, if any, then the end of this direction. */
  end(data?: string): void;
  destroy(): void;
}

/** Takes a source that nobody reads any more: its bytes are thrown away. */
export const NOBODY: SourceTaker = { onBytes: () => {}, onEnd: () => {}, onClose: () => {} };
