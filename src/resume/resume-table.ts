// The highest seq that is stored for each device, by its newest connection, and the connections that wait to be told. It
// lives in the first process and knows connections by number only. Its answers are never above the truth: knowledge of a
// connection counts once all of it has settled, and is dropped when a newer connection begins a count of its own.
//
// The result of a connection is its own highest stored seq. If it has none and resumed, it is the answer that its device got.

import { countsByResumeAnswer, type ResumeAnswer } from '../protocol/resume-answers.ts';

/** A connection, as its process numbers it. */
export interface Place {
  readonly process: number;
  readonly number: number;
}

export interface Identified {
  readonly deviceId: string;
  readonly resumes: boolean;
  /** How long the connection has waited already. */
  readonly waitedMs?: number;
}

export interface ResumeOptions {
  /** Devices whose connection has ended that are remembered. */
  readonly maxDevices: number;
  /** How long a connection waits for its former one. */
  readonly waitMs?: number;
  /** The answer to a connection that resumes. @param storedSeq undefined = not known */
  readonly answer: (place: Place, storedSeq: number | undefined) => void;
}

/** The protocol's 5 s. */
export const RESUME_WAIT_MS = 5000;
/** Devices that are remembered at least. One takes about 150 bytes. */
export const MIN_DEVICES = 100_000;

/** A connection whose result is not known yet. */
interface Unsettled {
  readonly place: Place;
  readonly deviceId: string;
  /** The seq that its device was told, undefined if it was told nothing. */
  base: number | undefined;
  /** All of the connection has settled, and only `former` is missing. */
  hasSettled: boolean;
  /** The connection before, while this one waits for its result. */
  former: Unsettled | undefined;
  /** The connection behind, if that one waits for this one. */
  successor: Unsettled | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** An open connection: its result is pending, or known (undefined = no seq). */
type Open = { readonly place: Place; result: Unsettled | number | undefined };

export class ResumeTable {
  readonly answers = countsByResumeAnswer();
  /** Devices that were forgotten because there were too many. */
  evicted = 0;
  readonly #options: ResumeOptions;
  readonly #unsettled = new Map<string, Unsettled>();
  // A device is in one of these three, by its newest connection.
  readonly #open = new Map<string, Open>();
  /** The connection has ended, and not settled. */
  readonly #pending = new Map<string, Unsettled>();
  /** Oldest first. */
  readonly #known = new Map<string, number>();

  constructor(options: ResumeOptions) {
    this.#options = options;
  }

  get maxDevices(): number {
    return this.#options.maxDevices;
  }

  /** Devices in the table: connected ones, and those that are remembered. */
  get devices(): number {
    return this.#open.size + this.#pending.size + this.#known.size;
  }

  /** The connection is the newest one of its device from now on. If it resumes, the answer follows, perhaps at once. */
  identified(place: Place, { deviceId, resumes, waitedMs = 0 }: Identified): void {
    const former = this.#takeNewest(deviceId);
    const newest: Unsettled = {
      place,
      deviceId,
      base: undefined,
      hasSettled: false,
      former: undefined,
      successor: undefined,
      timer: undefined,
    };
    this.#unsettled.set(keyOf(place), newest);
    this.#open.set(deviceId, { place, result: newest });
    if (!resumes) {
      if (typeof former === 'object') this.#drop(former);
    } else if (typeof former === 'object') this.#wait(newest, former, waitedMs);
    else this.#tell(newest, former);
  }

  /** All of the connection has settled. @param seq the highest that is stored, undefined if it sent none */
  settled(place: Place, seq: number | undefined): void {
    const one = this.#unsettled.get(keyOf(place));
    if (one === undefined) return;
    const { former } = one;
    if (former === undefined) {
      this.#finish(one, seq ?? one.base);
      return;
    }
    // It was never answered, so it has handled no line: whoever comes behind it waits for the same connection.
    clearTimeout(one.timer);
    one.hasSettled = true;
    const { successor } = one;
    if (successor === undefined) return;
    successor.former = former;
    former.successor = successor;
    this.#unsettled.delete(keyOf(place));
  }

  /**
   * A connection without resume came and did not get the device_id. It may have written lines, and began a new count: the
   * seqs of the open connection say nothing of the device any more.
   */
  forget(deviceId: string): void {
    this.#open.delete(deviceId);
  }

  /** The connection has ended. Its messages may settle later. */
  closed({ process, number }: Place, deviceId: string): void {
    const open = this.#open.get(deviceId);
    if (open === undefined || open.place.process !== process || open.place.number !== number) return;
    this.#open.delete(deviceId);
    this.#remember(deviceId, open.result);
  }

  /** The process has crashed: those of its connections that had not settled are not known. */
  lost(process: number): void {
    for (const one of [...this.#unsettled.values()]) if (one.place.process === process) this.#lose(one);
    for (const [deviceId, { place }] of [...this.#open])
      if (place.process === process) this.closed(place, deviceId);
  }

  /** The devices that are known. Those that ended longest ago come first. */
  *entries(): Iterable<readonly [deviceId: string, storedSeq: number]> {
    yield* this.#known;
    for (const [deviceId, { result }] of this.#open) if (typeof result === 'number') yield [deviceId, result];
  }

  /** Connections whose end the table waits for. */
  get unsettled(): number {
    return this.#unsettled.size;
  }

  get figures(): { answers: Record<ResumeAnswer, number>; devices: number; evicted: number } {
    return { answers: { ...this.answers }, devices: this.devices, evicted: this.evicted };
  }

  /** Takes over the knowledge of another run of the gateway. */
  load(entries: Iterable<readonly [deviceId: string, storedSeq: number]>): void {
    for (const [deviceId, seq] of entries) this.#remember(deviceId, seq);
  }

  #takeNewest(deviceId: string): Unsettled | number | undefined {
    const open = this.#open.get(deviceId);
    const found =
      open === undefined ? (this.#pending.get(deviceId) ?? this.#known.get(deviceId)) : open.result;
    this.#open.delete(deviceId);
    this.#pending.delete(deviceId);
    this.#known.delete(deviceId);
    return found;
  }

  #wait(newest: Unsettled, former: Unsettled, waitedMs: number): void {
    if (former.hasSettled && former.former !== undefined) {
      // The former one ended while it waited itself.
      this.#unsettled.delete(keyOf(former.place));
      this.#wait(newest, former.former, waitedMs);
      return;
    }
    newest.former = former;
    former.successor = newest;
    const { waitMs = RESUME_WAIT_MS } = this.#options;
    newest.timer = setTimeout(() => {
      this.answers.unsettled++;
      this.#leave(newest);
      this.#options.answer(newest.place, undefined);
    }, waitMs - waitedMs).unref();
  }

  #tell(one: Unsettled, storedSeq: number | undefined): void {
    one.base = storedSeq;
    this.answers[storedSeq === undefined ? 'unknown' : 'known']++;
    this.#options.answer(one.place, storedSeq);
  }

  /** The result of a connection is known. */
  #finish(one: Unsettled, result: number | undefined): void {
    const { deviceId, successor } = one;
    this.#unsettled.delete(keyOf(one.place));
    if (successor !== undefined) {
      one.successor = undefined;
      successor.former = undefined;
      clearTimeout(successor.timer);
      if (successor.hasSettled) this.#finish(successor, result);
      else this.#tell(successor, result);
      return;
    }
    const open = this.#open.get(deviceId);
    if (open?.result === one) {
      open.result = result;
    } else if (this.#pending.get(deviceId) === one) {
      this.#pending.delete(deviceId);
      this.#remember(deviceId, result);
    }
  }

  /** Nobody waits for the connection any more, and it is not the newest one. */
  #drop(one: Unsettled): void {
    this.#unsettled.delete(keyOf(one.place));
    this.#leave(one);
  }

  /** The connection no longer waits for the one before. */
  #leave(one: Unsettled): void {
    const { former } = one;
    clearTimeout(one.timer);
    if (former === undefined) return;
    one.former = undefined;
    former.successor = undefined;
    this.#drop(former);
  }

  #lose(one: Unsettled): void {
    // The successor is told now, or its result is unknown as well.
    this.#leave(one);
    this.#finish(one, undefined);
  }

  #remember(deviceId: string, result: Unsettled | number | undefined): void {
    if (result === undefined) return;
    if (typeof result === 'number') this.#known.set(deviceId, result);
    else this.#pending.set(deviceId, result);
    if (this.#known.size + this.#pending.size > this.#options.maxDevices) this.#evict();
  }

  #evict(): void {
    this.evicted++;
    const [known] = this.#known.keys();
    if (known !== undefined) {
      this.#known.delete(known);
      return;
    }
    const [[deviceId, one] = []] = this.#pending;
    if (deviceId === undefined || one === undefined) return;
    this.#pending.delete(deviceId);
    this.#drop(one);
  }
}

const keyOf = ({ process, number }: Place): string => `${process}/${number}`;
