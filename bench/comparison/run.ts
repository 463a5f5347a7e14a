// Runs a comparison: all contestants run at the same time, each alone is loaded, and they take turns, so that a slow minute of the
// machine affects all of them. First the turns at full speed, then those at a rate, in which a consumer reads.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { Child } from '../../load/processes/child.ts';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { PeerError } from '../peers/peer.ts';
import { LEAD_IN_SECONDS, WARM_UP_PER_SECOND } from '../servers/loaded-gateways.ts';
import { type Memory, memoryOf } from '../servers/memory.ts';
import { Contestant } from './contestant.ts';
import { type ContestantEntry, DUELS, type Duel } from './duels.ts';
import type { ReaderCalls } from './reader-worker.ts';
import type { ContestantResult, Turn } from './result.ts';

export interface ComparisonOptions {
  readonly bootstrap: string;
  readonly connections: number;
  /** Approximate length of a turn at full speed. Those at a rate take twice as long. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly turns: number;
  readonly signal: AbortSignal;
  /** Names of duels. Empty: all. */
  readonly chosen: readonly string[];
  tell(line: string): void;
}

const READER = new URL('./reader-worker.js', import.meta.url);
/** From the moment that the last contestant listens. V8 frees garbage about eight seconds after the last work. */
const SETTLE_MS = 10_000;
/** Without a new message in the topic for so long, the rest is lost. */
const STALL_TIMEOUT_MS = 10_000;
const FASTEST_POLL_MS = 10;
const SLOWEST_POLL_MS = 200;
const FIRST_COUNT = 20_000;
const CALIBRATION_MS = 700;
const PACED_TIMES = 2;

/** A contestant with its figures so far. */
interface Player {
  readonly contestant: Contestant;
  afterStart?: Memory;
  readonly turns: Record<string, Turn[]>;
  /** Messages a second at full speed, by scenario. */
  readonly speed: Record<string, number>;
  sent: number;
  /** In turns with a consumer. */
  lost: number;
}

export async function runComparison(
  entries: readonly ContestantEntry[],
  options: ComparisonOptions,
): Promise<ContestantResult[]> {
  const { bootstrap, signal } = options;
  const players: Player[] = [];
  const reader = new Child<ReaderCalls>(READER, { signal });
  let results: ContestantResult[];
  try {
    for (const entry of entries) {
      const contestant = await Contestant.start(entry, options);
      players.push({ contestant, turns: {}, speed: {}, sent: 0, lost: 0 });
    }
    await sleep(SETTLE_MS, undefined, { signal });
    for (const player of players) player.afterStart = memoryOf(player.contestant.pids);
    results = await withAdmin(bootstrap, async (admin) => {
      const arena = new Arena(players, admin, reader, options);
      await arena.warmUp();
      await arena.fullSpeed();
      await arena.paced();
      return arena.results();
    });
  } catch (error) {
    await Promise.allSettled(players.map(({ contestant }) => contestant.stop()));
    if (error instanceof PeerError) throw error;
    throw players.reduce((explained: unknown, { contestant }) => contestant.explained(explained), error);
  } finally {
    await reader.stop();
  }
  for (const { contestant } of players) await contestant.stop();
  return results;
}

class Arena {
  readonly #players: readonly Player[];
  readonly #admin: Admin;
  readonly #reader: Child<ReaderCalls>;
  readonly #options: ComparisonOptions;
  readonly #duels: readonly Duel[];

  constructor(
    players: readonly Player[],
    admin: Admin,
    reader: Child<ReaderCalls>,
    options: ComparisonOptions,
  ) {
    this.#players = players;
    this.#admin = admin;
    this.#reader = reader;
    this.#options = options;
    const { chosen } = options;
    this.#duels = DUELS.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
  }

  /** At a rate that every contestant keeps, so that its code is compiled. Then its speed is found out. */
  async warmUp(): Promise<void> {
    const count = Math.ceil(WARM_UP_PER_SECOND * this.#options.warmUpSeconds);
    for (const player of this.#players) {
      await player.contestant.connect();
      await this.#send(player, { count, perSecond: WARM_UP_PER_SECOND });
      for (const duel of this.#duels) if (takesPart(player, duel)) await this.#calibrate(player, duel);
    }
  }

  async fullSpeed(): Promise<void> {
    await this.#eachTurn(
      this.#duels.filter(({ perSecond }) => perSecond === undefined),
      async (player, { name, linesPerWrite }) => {
        const count = Math.ceil((player.speed[name] ?? 0) * this.#options.seconds);
        return this.#measured(player, count, () => this.#send(player, { count, linesPerWrite }));
      },
    );
  }

  async paced(): Promise<void> {
    const duels = this.#duels.filter(({ perSecond }) => perSecond !== undefined);
    if (duels.length === 0) return;
    const { bootstrap, seconds } = this.#options;
    const topics = this.#players.map(({ contestant, sent }) => ({ topic: contestant.topic, first: sent }));
    await this.#reader.call('start', { bootstrap, topics });
    // The consumer's code is compiled before the first turn counts, and the contestants know the low rate.
    for (const player of this.#players) {
      await this.#listenTo(player);
      for (const { perSecond = 0 } of duels)
        await this.#sendAndRead(player, LEAD_IN_SECONDS * perSecond, perSecond);
    }
    await this.#eachTurn(duels, async (player, { perSecond = 0 }) => {
      const count = Math.ceil(perSecond * seconds * PACED_TIMES);
      let figures: Pick<Turn, 'p50Ms' | 'p99Ms'> = {};
      await this.#listenTo(player);
      await this.#sendAndRead(player, LEAD_IN_SECONDS * perSecond, perSecond);
      const turn = await this.#measured(player, count, async () => {
        const { latencyMs } = await this.#sendAndRead(player, count, perSecond);
        figures = { p50Ms: latencyMs.p50, p99Ms: latencyMs.p99 };
      });
      return { ...turn, ...figures };
    });
  }

  async results(): Promise<ContestantResult[]> {
    const results: ContestantResult[] = [];
    for (const { contestant, afterStart, turns, sent, lost: unread } of this.#players) {
      const { topic, entry, pids } = contestant;
      const wasRead = this.#duels.some(({ perSecond }) => perSecond !== undefined);
      const copies = wasRead ? await this.#reader.call('duplicates', { topic }) : 0;
      // Of the messages that were not read one by one, only the number is known.
      const surplus = (await this.#held(topic)) - sent + unread - copies;
      results.push({
        name: entry.name,
        about: entry.about,
        version: entry.version,
        afterStart: afterStart ?? memoryOf(pids),
        afterLoad: memoryOf(pids),
        sent,
        lost: unread + Math.max(0, -surplus),
        duplicated: copies + Math.max(0, surplus),
        turns,
      });
    }
    return results;
  }

  /** Back and forth: whoever comes first would always get the work that the machine does between the rounds. */
  async #eachTurn(
    duels: readonly Duel[],
    play: (player: Player, duel: Duel) => Promise<Turn>,
  ): Promise<void> {
    const { turns, tell } = this.#options;
    for (let turn = 1; turn <= turns; turn++) {
      for (const duel of duels) {
        const order = turn % 2 === 1 ? this.#players : this.#players.toReversed();
        for (const player of order) {
          if (!takesPart(player, duel)) continue;
          const figures = await play(player, duel);
          player.turns[duel.name] = [...(player.turns[duel.name] ?? []), figures];
          tell(
            `${duel.name}, turn ${turn} of ${turns}, ${player.contestant.entry.name}: ${turnText(figures)}`,
          );
        }
      }
    }
  }

  async #measured(player: Player, messages: number, work: () => Promise<unknown>): Promise<Turn> {
    const { contestant } = player;
    const from = { cpuSeconds: contestant.cpuSeconds(), wallMs: performance.now() };
    await work();
    const to = { cpuSeconds: contestant.cpuSeconds(), wallMs: performance.now() };
    return {
      messages,
      perSecond: (messages * 1000) / (to.wallMs - from.wallMs),
      cpuUs: ((to.cpuSeconds - from.cpuSeconds) * 1e6) / messages,
    };
  }

  /** Doubles the count until one part takes long enough to tell the speed. */
  async #calibrate(player: Player, { name, linesPerWrite, perSecond }: Duel): Promise<void> {
    if (perSecond !== undefined) return;
    for (let count = FIRST_COUNT; ; count *= 2) {
      const fromMs = performance.now();
      await this.#send(player, { count, linesPerWrite });
      const tookMs = performance.now() - fromMs;
      if (tookMs < CALIBRATION_MS) continue;
      player.speed[name] = (count * 1000) / tookMs;
      return;
    }
  }

  /** Resolves when the topic holds all that was sent. */
  async #send(
    player: Player,
    lines: { readonly count: number; readonly linesPerWrite?: number; readonly perSecond?: number },
  ): Promise<void> {
    player.sent += lines.count;
    const { load, topic } = player.contestant;
    await Promise.all([load.call('send', lines), this.#untilHeld(topic, player.sent)]);
  }

  #listenTo({ contestant }: Player): Promise<void> {
    return this.#reader.call('listen', { topic: contestant.topic });
  }

  async #sendAndRead(player: Player, count: number, perSecond: number) {
    const { load, topic } = player.contestant;
    const first = player.sent;
    player.sent += count;
    const [, collected] = await Promise.all([
      load.call('send', { count, perSecond, stamped: true }),
      this.#reader.call('collect', { topic, first, count }),
    ]);
    player.lost += collected.lost;
    return collected;
  }

  /** Resolves once the topic holds so many messages, or if none has come for 10 s. */
  async #untilHeld(topic: string, total: number): Promise<void> {
    const { signal } = this.#options;
    let last = { held: await this.#held(topic), atMs: performance.now() };
    let progressMs = last.atMs;
    for (;;) {
      const held = await this.#held(topic);
      const nowMs = performance.now();
      if (held >= total) return;
      if (held > last.held) progressMs = nowMs;
      if (nowMs - progressMs > STALL_TIMEOUT_MS) return;
      const perMs = (held - last.held) / (nowMs - last.atMs || 1);
      last = { held, atMs: nowMs };
      const waitMs = Math.min(SLOWEST_POLL_MS, Math.max(FASTEST_POLL_MS, (total - held) / perMs / 2));
      await sleep(waitMs, undefined, { signal });
    }
  }

  async #held(topic: string): Promise<number> {
    const offsets = await this.#admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  }
}

function takesPart({ contestant }: Player, { perSecond }: Duel): boolean {
  return contestant.entry.pacedOnly !== true || perSecond !== undefined;
}

function turnText({ perSecond, cpuUs, p50Ms, p99Ms }: Turn): string {
  const latency = p50Ms === undefined ? '' : `, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms?.toFixed(1)} ms`;
  return `${Math.round(perSecond)} messages/s, CPU ${cpuUs.toFixed(2)} us${latency}`;
}
