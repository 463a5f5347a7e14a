// The one state of the page. Whoever changes it names the change, and the page is drawn again at the next frame.
import type { SessionShape, SnapshotShape } from '../api/shapes.ts';
import { EMPTY_HISTORY, type History } from '../figures/history.ts';

/**
 * - `connecting`: no figures have come yet.
 * - `live`: figures come.
 * - `lost`: they came, and do not any more. Those shown are old.
 */
export type Link = 'connecting' | 'live' | 'lost';

/** All that is known of all processes together, or of one. */
export interface View {
  readonly figures: SnapshotShape | null;
  /** The figures of the last minute, oldest first. */
  readonly recent: readonly SnapshotShape[];
  readonly history: History;
}

export interface PageState {
  /** Null until the gateway has answered once. */
  readonly session: SessionShape | null;
  readonly link: Link;
  /** Why no figures come, before the first ones. */
  readonly problem: string | null;
  /** The viewer may read without a login, and asked for one in order to change something. */
  readonly asksLogin: boolean;
  /** When the last figures came, in milliseconds since 1970 by the browser's clock. */
  readonly figuresAtMs: number | null;
  /** All processes together. */
  readonly whole: View;
  /** The server process that is looked into; null shows all together. */
  readonly process: number | null;
  readonly ofProcess: View;
}

export const EMPTY_VIEW: View = { figures: null, recent: [], history: EMPTY_HISTORY };

const FIRST_STATE: PageState = {
  session: null,
  link: 'connecting',
  problem: null,
  asksLogin: false,
  figuresAtMs: null,
  whole: EMPTY_VIEW,
  process: null,
  ofProcess: EMPTY_VIEW,
};

export class Store {
  #state = FIRST_STATE;
  #draw: () => void = () => {};

  get state(): PageState {
    return this.#state;
  }

  update(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    this.#draw();
  }

  /** @param draw called after each change */
  onChange(draw: () => void): void {
    this.#draw = draw;
  }
}
