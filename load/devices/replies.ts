// Reads the server's replies, at full speed or slowly.
import type { Socket } from 'node:net';

export interface Reply {
  readonly status: string;
  readonly code?: string;
  readonly seq?: number;
  readonly reconnect_after_ms?: number;
}

const STORED = '{"type":"ack","status":"stored","seq":';
/** A peer that never sends a line end must not fill the memory. */
const MAX_LINE = 65_536;
const UNREADABLE: Reply = { status: 'error', code: 'unreadable_reply' };

export class ReplyReader {
  readonly #onReply: (reply: Reply) => void;
  #rest = '';

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) this.#onReply(parse(line));
  }
}

function parse(line: string): Reply {
  // Nearly all replies are confirmations.
  if (line.startsWith(STORED))
    return { status: 'stored', seq: Number.parseInt(line.slice(STORED.length), 10) };
  try {
    return JSON.parse(line) as Reply;
  } catch {
    return UNREADABLE;
  }
}

const CHUNK_BYTES = 256;
const PAUSE_MS = 250;

/** Reads 1 KiB a second until stop(). */
export class SlowReads {
  readonly socketOptions;
  #socket: Socket | undefined;
  #slow = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(reader: ReplyReader) {
    this.socketOptions = {
      onread: {
        buffer: Buffer.alloc(CHUNK_BYTES),
        callback: (bytes: number, buffer: Uint8Array) => {
          reader.push(Buffer.from(buffer.buffer, buffer.byteOffset, bytes).toString('latin1'));
          // False stops reading.
          return !this.#slow;
        },
      },
    };
  }

  start(socket: Socket): void {
    this.#socket = socket;
    this.#timer = setInterval(() => socket.resume(), PAUSE_MS);
  }

  stop(): void {
    this.#slow = false;
    clearInterval(this.#timer);
    this.#socket?.resume();
  }
}
