// Keeps the state up to date: asks who the viewer is, follows the streams, and tries again when the gateway is lost, less
// often each time. It never draws.
import { EMPTY_VIEW, type Store } from '../state/store.ts';
import { get, refusalOf } from './client.ts';
import type { SessionShape } from './shapes.ts';
import { Stream } from './stream.ts';

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;

export class Live {
  readonly #store: Store;
  #whole: Stream | undefined;
  #ofProcess: Stream | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = FIRST_RETRY_MS;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Also after a login or a logout. */
  async start(): Promise<void> {
    this.#close();
    const answer = await get<SessionShape>('/session');
    if (!answer.ok) return this.#lost();
    this.#store.update({ session: answer.value, asksLogin: false });
    if (answer.value.login === 'needed') return this.#store.update({ whole: EMPTY_VIEW, link: 'connecting' });
    // Another start may have been quicker.
    this.#close();
    this.#whole = new Stream(null, {
      changed: (whole) => {
        this.#retryMs = FIRST_RETRY_MS;
        this.#store.update({ whole, link: 'live', problem: null, figuresAtMs: Date.now() });
      },
      ended: () => void this.#refused(),
    });
    this.#follow();
  }

  askLogin(asksLogin: boolean): void {
    this.#store.update({ asksLogin });
  }

  /** @param process its number; null looks at all of them together */
  lookInto(process: number | null): void {
    this.#store.update({ process, ofProcess: EMPTY_VIEW });
    this.#follow();
  }

  #follow(): void {
    this.#ofProcess?.close();
    this.#ofProcess = undefined;
    const { process } = this.#store.state;
    if (process === null || this.#whole === undefined) return;
    this.#ofProcess = new Stream(process, {
      changed: (ofProcess) => this.#store.update({ ofProcess }),
      // The process may be gone for a while. If all is lost, the other stream ends too.
      ended: () => setTimeout(() => this.#follow(), MAX_RETRY_MS),
    });
  }

  async #refused(): Promise<void> {
    this.#lost();
    if (this.#store.state.whole.figures === null) this.#store.update({ problem: await refusalOf('/events') });
  }

  #lost(): void {
    this.#close();
    if (this.#store.state.whole.figures !== null) this.#store.update({ link: 'lost' });
    this.#retry = setTimeout(() => void this.start(), this.#retryMs);
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
  }

  #close(): void {
    clearTimeout(this.#retry);
    this.#whole?.close();
    this.#ofProcess?.close();
    this.#whole = undefined;
    this.#ofProcess = undefined;
  }
}
