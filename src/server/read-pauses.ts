// Why a connection is not read at present. It pauses the source for the first reason. When a reason ends, and when the
// source is read again, the connection decides.
import type { ByteSource } from './byte-source.ts';

/** Bits, because a connection can have several reasons at once. */
export const PAUSE = {
  /** Its next line found no room in the queue. */
  queue: 1,
  /** Its next line has to wait until the line before it is handled. */
  ownJob: 2,
  /** The device does not read its replies. */
  replies: 4,
  /** It has used up its budget of refused lines or a rate. */
  slowed: 8,
  /** It holds much of the budget of bytes, and the budget is nearly used up. */
  memory: 16,
  /** The gateway stops. */
  stopping: 32,
  /** It is told to go, and its lines are finished first. */
  departing: 64,
  /** It waits for the seq that is stored for its device. */
  resuming: 128,
} as const;

export type PauseName = keyof typeof PAUSE;
export type PauseReason = (typeof PAUSE)[PauseName];

/** For operators. */
const PAUSE_WORDS = {
  queue: 'queue_full',
  ownJob: 'line_before',
  replies: 'replies_unread',
  slowed: 'slowed',
  memory: 'memory',
  stopping: 'stopping',
  departing: 'departing',
  resuming: 'resuming',
} as const satisfies Readonly<Record<PauseName, string>>;
export type PauseWord = (typeof PAUSE_WORDS)[PauseName];
const PAUSE_NAMES = Object.keys(PAUSE) as PauseName[];

/** The reasons in words, for operators. */
export function pauseWords(reasons: number): PauseWord[] {
  return PAUSE_NAMES.filter((name) => (reasons & PAUSE[name]) !== 0).map((name) => PAUSE_WORDS[name]);
}

/** While one of these holds, no line is taken either. The other reasons only stop the source. */
const HOLDS_LINES = PAUSE.queue | PAUSE.ownJob | PAUSE.replies | PAUSE.slowed | PAUSE.resuming;

interface PauseCounters {
  /** Connections that are not read. Those that have to go do not count. */
  paused: number;
  slowed: number;
}

export class ReadPauses {
  reasons = 0;
  readonly #source: ByteSource;
  readonly #counters: PauseCounters;

  constructor(source: ByteSource, counters: PauseCounters) {
    this.#source = source;
    this.#counters = counters;
  }

  has(reason: PauseReason): boolean {
    return (this.reasons & reason) !== 0;
  }

  get holdsLines(): boolean {
    return (this.reasons & HOLDS_LINES) !== 0;
  }

  begin(reason: PauseReason): void {
    if (this.reasons === 0) this.#source.pause();
    this.#set(this.reasons | reason);
  }

  /** The reason no longer holds. The source stays paused, because lines that wait come first. */
  end(reason: PauseReason): void {
    this.#set(this.reasons & ~reason);
  }

  /** Ends all reasons. */
  clear(): void {
    this.#set(0);
  }

  #set(reasons: number): void {
    const change = (bits: number) => Number((reasons & bits) !== 0) - Number((this.reasons & bits) !== 0);
    this.#counters.paused += change(~(PAUSE.stopping | PAUSE.departing));
    this.#counters.slowed += change(PAUSE.slowed);
    this.reasons = reasons;
  }
}
