// The events of /events: the history and the figures of each second, of the whole gateway and of each process. A text is made
// once for all who follow, and none while nobody does.
import type { Figures, Snapshot } from '../snapshot.ts';
import { History } from './history.ts';
import { TICK_MS, type Ticker } from './ticker.ts';

/** A server process beside its figures. */
export interface LiveProcess {
  readonly index: number;
  readonly pid: number | undefined;
  /** The latest ones. Undefined if it has none, or does not run. */
  readonly figures: Figures | undefined;
}

/** The number of a process, or null for all together. */
export type View = number | null;
type Follower = (text: string) => void;

class LiveView {
  readonly history = new History();
  readonly followers = new Set<Follower>();
  /** The event of the history until the next sample: 115 kB, and 2 ms to make. */
  past: string | undefined;
  /** The event of the latest figures. */
  latest: (() => string) | undefined;
}

export class Live {
  readonly #views = new Map<View, LiveView>([[null, new LiveView()]]);
  readonly #processes: () => readonly LiveProcess[];

  /** @param processes those beside the whole; with one process there are none */
  constructor(ticker: Pick<Ticker, 'follow'>, processes: () => readonly LiveProcess[]) {
    this.#processes = processes;
    ticker.follow((snapshot) => this.#take(snapshot));
  }

  /**
   * Sends the history and the latest figures at once, then those of each second.
   * @returns ends it
   */
  follow(view: View, follower: Follower): () => void {
    const known = this.#of(view);
    const { history, followers, latest } = known;
    known.past ??= eventOf('history', { process: view, everyMs: TICK_MS, samples: history.columns });
    follower(known.past + (latest?.() ?? ''));
    followers.add(follower);
    return () => void followers.delete(follower);
  }

  #take(snapshot: Snapshot): void {
    const processes = this.#processes();
    const { readiness } = snapshot;
    this.#add(null, { figures: snapshot, ready: readiness.ready }, () => ({
      ...snapshot,
      processList: processList(snapshot, processes),
    }));
    for (const { index, figures } of processes)
      if (figures !== undefined) this.#add(index, { figures, ready: null }, () => figures);
  }

  #add(view: View, sampled: { figures: Figures; ready: boolean | null }, body: () => object): void {
    const known = this.#of(view);
    const { history, followers } = known;
    history.add(sampled);
    const figures = once(() => eventOf('figures', body()));
    known.past = undefined;
    known.latest = figures;
    if (followers.size === 0) return;
    const text = eventOf('sample', history.latest ?? {}) + figures();
    for (const follower of followers) follower(text);
  }

  #of(view: View): LiveView {
    const known = this.#views.get(view) ?? new LiveView();
    this.#views.set(view, known);
    return known;
  }
}

/** An event of a stream for EventSource. JSON has no line feed. */
export function eventOf(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** One process in the event `figures`. A number that is not known yet is null. */
export interface ListedProcess {
  readonly index: number;
  readonly pid: number | null;
  readonly answers: boolean;
  readonly connections: number | null;
  readonly linesReceived: number | null;
  readonly recordsConfirmed: number | null;
  readonly kafkaBufferBytes: number | null;
  readonly cpuSeconds: number | null;
  readonly residentBytes: number | null;
  readonly eventLoopLagP99Seconds: number | null;
}

function processList({ byProcess }: Figures, processes: readonly LiveProcess[]): ListedProcess[] {
  const pids = new Map(processes.map(({ index, pid }) => [`${index}`, pid]));
  return Object.keys(byProcess.up).map((name) => ({
    index: Number(name),
    pid: pids.get(name) ?? (processes.length === 0 ? process.pid : null),
    answers: byProcess.up[name] === 1,
    connections: byProcess.connections[name] ?? null,
    linesReceived: byProcess.linesReceived[name] ?? null,
    recordsConfirmed: byProcess.recordsConfirmed[name] ?? null,
    kafkaBufferBytes: byProcess.kafkaBufferBytes[name] ?? null,
    cpuSeconds: byProcess.cpuSeconds[name] ?? null,
    residentBytes: byProcess.residentBytes[name] ?? null,
    eventLoopLagP99Seconds: byProcess.eventLoopLagP99Seconds[name] ?? null,
  }));
}

function once(make: () => string): () => string {
  let made: string | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
