// One stream of /events. It makes a view of it, and says when nothing comes any more. It is opened once and never
// tries again itself: live.ts makes the next one.
import { historyOf, withSample } from '../figures/history.ts';
import { LATENCY_WINDOW_SECONDS } from '../figures/rates.ts';
import { EMPTY_VIEW, type View } from '../state/store.ts';
import type { SnapshotShape } from './shapes.ts';

/** Figures come every second. */
const SILENT_AFTER_MS = 4_000;
/** A snapshot for each second of the latency window. */
const MAX_RECENT = LATENCY_WINDOW_SECONDS + 1;

export interface StreamEvents {
  /** With each history, sample and snapshot. */
  readonly changed: (view: View) => void;
  /** It broke, ended, or is silent. Called once. */
  readonly ended: () => void;
}

export class Stream {
  readonly #source: EventSource;
  readonly #events: StreamEvents;
  #view: View = EMPTY_VIEW;
  #silence: ReturnType<typeof setTimeout> | undefined;

  /** @param process its number; null is all together */
  constructor(process: number | null, events: StreamEvents) {
    this.#events = events;
    this.#source = new EventSource(process === null ? '/events' : `/events?process=${process}`);
    this.#on('history', ({ samples }) => this.#change({ history: historyOf(samples) }));
    this.#on('sample', (sample) => this.#change({ history: withSample(this.#view.history, sample) }));
    this.#on('figures', (figures) => this.#take(figures));
    this.#source.addEventListener('end', () => this.#end());
    // The browser's own retries stop for good after an answer that is no stream, such as 401.
    this.#source.addEventListener('error', () => this.#end());
    this.#heard();
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#source.close();
  }

  // The only place on the page that gives JSON of the stream its type.
  #on<N extends keyof StreamData>(name: N, take: (data: StreamData[N]) => void): void {
    this.#source.addEventListener(name, (event) => {
      this.#heard();
      take(JSON.parse(event.data) as StreamData[N]);
    });
  }

  #take(figures: SnapshotShape): void {
    const last = this.#view.recent.at(-1);
    // After a restart of the gateway its totals begin again.
    const known = last !== undefined && last.uptimeSeconds > figures.uptimeSeconds ? [] : this.#view.recent;
    this.#change({ figures, recent: [...known.slice(1 - MAX_RECENT), figures] });
  }

  #change(change: Partial<View>): void {
    this.#view = { ...this.#view, ...change };
    this.#events.changed(this.#view);
  }

  #heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end(), SILENT_AFTER_MS);
  }

  #end(): void {
    this.close();
    this.#events.ended();
  }
}

interface StreamData {
  readonly history: { readonly samples: Readonly<Record<string, readonly (number | null)[]>> };
  readonly sample: Readonly<Record<string, number | null>>;
  readonly figures: SnapshotShape;
}
