// Keeps of each reply code the last line that was refused with it, for people. A flood of refused lines costs next to
// nothing: of each code so many are copied a second, and the rest is not looked at. It counts nothing.
import type { RefusalSample } from '../inspect/line-questions.ts';
import type { Code } from '../protocol/codes.ts';
import type { LineBytes, LineOrigin, Refusal } from '../queue/job.ts';
import { cutText, shownLine, shownName } from './shown-line.ts';

const COPIES_A_SECOND = 8;
export const MAX_LINE_BYTES = 200;
const MAX_MESSAGE_BYTES = 200;

interface Kept {
  /** Copies that are left in this second. */
  left: number;
  readonly bytes: Buffer;
  /** Undefined if the device sent nothing that is at fault. */
  lineBytes: number | undefined;
  origin: Pick<LineOrigin, 'id' | 'deviceId' | 'remoteAddress'>;
  message: string;
  atMs: number;
}

export class RefusalSamples {
  readonly #kept = new Map<Code, Kept>();
  #timer: NodeJS.Timeout | undefined;

  note({ id, deviceId, remoteAddress }: LineOrigin, { code, message }: Refusal, line?: LineBytes): void {
    const kept = this.#kept.get(code) ?? this.#first(code);
    if (kept.left === 0) return;
    kept.left--;
    this.#timer ??= setTimeout(() => this.#refill(), 1000).unref();
    kept.origin = { id, deviceId, remoteAddress };
    kept.message = message;
    kept.atMs = Date.now();
    kept.lineBytes = line && line.end - line.start;
    if (line === undefined) return;
    // One byte more, so that the text is cut in the same way as the whole line would be.
    kept.bytes.set(line.bytes.subarray(line.start, Math.min(line.end, line.start + MAX_LINE_BYTES + 1)));
  }

  /** Tokens are hidden only here: at most once for each code and question. */
  read(): RefusalSample[] {
    return [...this.#kept].map(([code, { bytes, lineBytes, origin, message, atMs }]) => {
      const end = Math.min(lineBytes ?? 0, bytes.length);
      return {
        code,
        at: new Date(atMs).toISOString(),
        connection_id: origin.id,
        device_id: origin.deviceId === undefined ? null : shownName(origin.deviceId),
        address: origin.remoteAddress,
        message: cutText(shownName(message), MAX_MESSAGE_BYTES),
        line: lineBytes === undefined ? null : shownLine({ bytes, start: 0, end }, MAX_LINE_BYTES),
        line_bytes: lineBytes ?? null,
      };
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #first(code: Code): Kept {
    const kept = {
      left: COPIES_A_SECOND,
      bytes: Buffer.alloc(MAX_LINE_BYTES + 1),
      lineBytes: undefined,
      origin: { id: '', deviceId: undefined, remoteAddress: '' },
      message: '',
      atMs: 0,
    };
    this.#kept.set(code, kept);
    return kept;
  }

  #refill(): void {
    this.#timer = undefined;
    for (const kept of this.#kept.values()) kept.left = COPIES_A_SECOND;
  }
}
