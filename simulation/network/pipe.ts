// One direction of a TCP connection: bytes that the sender's kernel keeps until the receiver's kernel has them. Segments
// arrive in order. A segment that is lost because the link is cut is sent again, after 0.2 s, then after twice as long each
// time, up to two minutes; after 15 minutes the sender gives up (tcp_retries2 of Linux).
import type { World } from '../world/world.ts';
import type { Links } from './links.ts';

/** Between two segments. So a reader that waits for bytes may get each alone. */
const SPACING_MS = 0.005;
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 120_000;
const GIVE_UP_MS = 924_600;

/** Undefined stands for FIN. */
type Segment = Uint8Array | undefined;

export interface PipeEnds {
  readonly from: string;
  readonly to: string;
  /** Bytes that the receiver can still take, without those on their way. */
  room(): number;
  arrived(bytes: Uint8Array): void;
  finArrived(): void;
  resetArrived(): void;
  /** The receiver has taken bytes, so the sender's memory is free. */
  acknowledged(): void;
  gaveUp(): void;
  /** Bytes have been lost for good (loseRest). */
  lost(): void;
}

export class Pipe {
  readonly #world: World;
  readonly #links: Links;
  readonly #ends: PipeEnds;
  /** Not sent yet. */
  readonly #waiting: Segment[] = [];
  /** On their way, in order. */
  #flight: Segment[] = [];
  #heldBytes = 0;
  #flightBytes = 0;
  #lastArrivalMs = 0;
  /** Arrivals of an earlier round do not count: their segments were sent again. */
  #round = 0;
  /** While the link is cut: the next wait, and since when. */
  #stall: { retryMs: number; readonly sinceMs: number } | undefined;
  #isBlocked = false;
  #isLosing = false;
  #isStopped = false;

  constructor(world: World, links: Links, ends: PipeEnds) {
    this.#world = world;
    this.#links = links;
    this.#ends = ends;
  }

  /** Bytes that the receiver does not have. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Something is on its way, or waits for it. */
  get isBusy(): boolean {
    return this.#flight.length > 0 || this.#waiting.length > 0;
  }

  /** @param bytes a copy that nobody changes; undefined = FIN */
  push(bytes: Segment): void {
    if (this.#isStopped) return;
    this.#waiting.push(bytes);
    this.#heldBytes += bytes?.length ?? 0;
    this.#pump();
  }

  /** The receiver has made room: it tells the sender, if the sender waits for that. */
  roomMade(): void {
    if (!this.#isBlocked || this.#isStopped) return;
    this.#isBlocked = false;
    const { from, to } = this.#ends;
    this.#tellRoom(this.#links.arrivalMs(to, from, 0), FIRST_RETRY_MS);
  }

  /** Nothing more is sent but a reset, behind the bytes on their way. A second call sends another one. */
  resetPeer(): void {
    this.#isStopped = true;
    this.#waiting.length = 0;
    if (this.#stall !== undefined) this.stop();
    const { from, to } = this.#ends;
    const atMs = Math.max(this.#lastArrivalMs, this.#links.arrivalMs(from, to, 0));
    this.#at(atMs, () => {
      // Nobody sends a reset again.
      if (!this.#links.isCut(from, to) && !this.#isLosing) this.#ends.resetArrived();
    });
  }

  /** Nothing more arrives. */
  stop(): void {
    this.#isStopped = true;
    this.#round++;
    this.#waiting.length = 0;
    this.#flight = [];
    this.#flightBytes = 0;
    this.#heldBytes = 0;
  }

  /** From now on bytes vanish, although the sender believes that they are on their way. */
  loseRest(): void {
    this.#isLosing = true;
  }

  #pump(): void {
    const { from, to } = this.#ends;
    for (;;) {
      const head = this.#waiting[0];
      if (this.#waiting.length === 0) return;
      if (head === undefined) {
        this.#waiting.shift();
        this.#send(undefined);
        continue;
      }
      const room = this.#ends.room() - this.#flightBytes;
      if (room <= 0) {
        this.#isBlocked = true;
        return;
      }
      const length = Math.min(head.length, room, this.#links.segmentBytes(from, to));
      if (length === head.length) this.#waiting.shift();
      else this.#waiting[0] = head.subarray(length);
      this.#send(head.subarray(0, length));
    }
  }

  #send(segment: Segment): void {
    this.#flight.push(segment);
    this.#flightBytes += segment?.length ?? 0;
    if (this.#stall === undefined) this.#depart(segment);
  }

  #depart(segment: Segment): void {
    const { from, to } = this.#ends;
    const round = this.#round;
    this.#lastArrivalMs = Math.max(
      this.#lastArrivalMs + SPACING_MS,
      this.#links.arrivalMs(from, to, segment?.length ?? 0),
    );
    this.#at(this.#lastArrivalMs, () => {
      if (round === this.#round) this.#arrive();
    });
  }

  #arrive(): void {
    const { from, to } = this.#ends;
    if (this.#links.isCut(from, to)) {
      this.#round++;
      this.#stall = { retryMs: FIRST_RETRY_MS, sinceMs: this.#world.nowMs };
      this.#retryLater(this.#stall.retryMs);
      return;
    }
    const segment = this.#flight.shift();
    const bytes = segment?.length ?? 0;
    this.#flightBytes -= bytes;
    this.#heldBytes -= bytes;
    if (this.#isLosing) {
      this.#ends.lost();
      return;
    }
    if (segment === undefined) this.#ends.finArrived();
    else {
      this.#ends.arrived(segment);
      this.#ends.acknowledged();
    }
  }

  #retryLater(ms: number): void {
    this.#at(this.#world.nowMs + ms, () => this.#retry());
  }

  #retry(): void {
    const stall = this.#stall;
    if (stall === undefined || this.#flight.length === 0) return;
    const { from, to } = this.#ends;
    if (!this.#links.isCut(from, to)) {
      this.#stall = undefined;
      for (const segment of this.#flight) this.#depart(segment);
    } else if (this.#world.nowMs - stall.sinceMs >= GIVE_UP_MS) {
      this.stop();
      this.#ends.gaveUp();
    } else {
      stall.retryMs = Math.min(MAX_RETRY_MS, stall.retryMs * 2);
      this.#retryLater(stall.retryMs);
    }
  }

  /** While the link is cut the sender asks for room again and again, and never gives up. */
  #tellRoom(atMs: number, retryMs: number): void {
    this.#at(atMs, () => {
      const { from, to } = this.#ends;
      if (this.#isStopped) return;
      if (this.#links.isCut(from, to))
        this.#tellRoom(this.#world.nowMs + retryMs, Math.min(MAX_RETRY_MS, retryMs * 2));
      else this.#pump();
    });
  }

  #at(atMs: number, work: () => void): void {
    this.#world.at(atMs, work, this.#world.outside);
  }
}
