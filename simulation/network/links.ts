// The links between machines: delay, bandwidth, and whether anything comes through. They carry no bytes themselves.
import type { World } from '../world/world.ts';

export interface LinkSettings {
  /** One way. */
  readonly delayMs: number;
  /** Up to so much more, drawn for each segment. Segments of a connection never overtake each other. */
  readonly jitterMs: number;
  /** Shared by all connections between the two machines, in each direction. */
  readonly bytesPerMs: number;
  /** The largest segment. With a small one lines are torn apart. */
  readonly segmentBytes: number;
}

/** Of a machine with itself, and of two machines for which nothing else is set. */
const LOOPBACK: LinkSettings = { delayMs: 0.02, jitterMs: 0, bytesPerMs: 1e6, segmentBytes: 65_536 };
const LAN: LinkSettings = { delayMs: 0.2, jitterMs: 0.05, bytesPerMs: 1e5, segmentBytes: 65_536 };

/** Stands for every machine. */
export const ANY_HOST = '*';

interface Way {
  settings: LinkSettings;
  /** When the last byte that was sent has left. */
  freeAtMs: number;
}

export class Links {
  readonly #world: World;
  #standard = LAN;
  readonly #settings = new Map<string, LinkSettings>();
  /** Pairs that are cut, and machines without power, with the time since when. */
  readonly #cuts = new Map<string, number>();
  readonly #ways = new Map<string, Way>();

  constructor(world: World) {
    this.#world = world;
  }

  /** For pairs without settings of their own. */
  setStandard(settings: Partial<LinkSettings>): void {
    this.#standard = { ...this.#standard, ...settings };
    this.#ways.clear();
  }

  /** Both directions. ANY_HOST may stand for one of the two. */
  set(a: string, b: string, settings: Partial<LinkSettings>): void {
    const key = pairOf(a, b);
    this.#settings.set(key, { ...(this.#settings.get(key) ?? this.#standard), ...settings });
    this.#ways.clear();
  }

  /** All pairs have the standard again. */
  reset(): void {
    this.#settings.clear();
    this.#standard = LAN;
    this.#ways.clear();
  }

  cut(a: string, b: string): void {
    const key = pairOf(a, b);
    if (!this.#cuts.has(key)) this.#cuts.set(key, this.#world.nowMs);
  }

  heal(a: string, b: string): void {
    this.#cuts.delete(pairOf(a, b));
  }

  healAll(): void {
    this.#cuts.clear();
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.size > 0 && this.cutSinceMs(a, b) !== undefined;
  }

  /** Since when nothing comes through without a break. Undefined if something does. */
  cutSinceMs(a: string, b: string): number | undefined {
    let since: number | undefined;
    for (const key of keysOf(a, b)) {
      const at = this.#cuts.get(key);
      if (at !== undefined) since = Math.min(since ?? at, at);
    }
    return since;
  }

  /** Bytes of the largest segment. */
  segmentBytes(from: string, to: string): number {
    return this.#way(from, to).settings.segmentBytes;
  }

  /** When a segment that is sent now is there. */
  arrivalMs(from: string, to: string, bytes: number): number {
    const way = this.#way(from, to);
    const { delayMs, jitterMs, bytesPerMs } = way.settings;
    const now = this.#world.nowMs;
    way.freeAtMs = Math.max(now, way.freeAtMs) + bytes / bytesPerMs;
    const jitter = jitterMs > 0 ? this.#world.random('network jitter').next() * jitterMs : 0;
    return way.freeAtMs + delayMs + jitter;
  }

  #way(from: string, to: string): Way {
    const key = `${from}>${to}`;
    const known = this.#ways.get(key);
    if (known !== undefined) return known;
    const way = { settings: this.#settingsOf(from, to), freeAtMs: 0 };
    this.#ways.set(key, way);
    return way;
  }

  #settingsOf(from: string, to: string): LinkSettings {
    for (const key of keysOf(from, to)) {
      const settings = this.#settings.get(key);
      if (settings !== undefined) return settings;
    }
    return from === to ? LOOPBACK : this.#standard;
  }
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

/** The pair itself, then those with ANY_HOST. A machine always reaches itself. */
function keysOf(a: string, b: string): readonly string[] {
  return a === b ? [pairOf(a, b)] : [pairOf(a, b), pairOf(a, ANY_HOST), pairOf(b, ANY_HOST)];
}
