// `sluice top`: looks at a gateway at each interval and draws the picture, until a key, a signal, the end of the terminal, or a gateway
// that stays away. Without a terminal it prints one picture.
import { setTimeout as pause } from 'node:timers/promises';
import { timeText } from '../../config/amounts.ts';
import type { AdminClient } from '../remote/client.ts';
import { RemoteError } from '../remote/failure.ts';
import { withGateway } from '../remote/open-client.ts';
import type { Sort, TopWish } from '../remote/options.ts';
import { type Key, readKeys } from '../terminal/keys.ts';
import { Screen } from '../terminal/screen.ts';
import { Figures } from './figures.ts';
import { headLines } from './head.ts';
import { type Look, look } from './look.ts';
import { linesOf, tableLines, type View } from './view.ts';

const MAX_SEARCH = 64;
/** Of a picture for a file or a pipe. */
const PRINTED = { width: 120, height: 23 };
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 } as const;

export function runTop(wish: TopWish): Promise<number> {
  const isLive = !wish.once && process.stdin.isTTY && process.stdout.isTTY;
  return withGateway(wish, (client) => (isLive ? new Top(client, wish).run() : printOnce(client, wish)));
}

async function printOnce(client: AdminClient, { sort, interval }: TopWish): Promise<number> {
  const asked = { sort, reverse: false, closed: false, search: '', rows: PRINTED.height - 3 };
  const never = new AbortController().signal;
  const before = await look(client, asked, never);
  await pause(interval);
  const { stats, page } = await look(client, asked, never);
  const size = { ...PRINTED, width: process.stdout.columns ?? PRINTED.width };
  const figures = new Figures(stats, before.stats);
  const view = { ...asked, figures, page, isSearching: false, isPaused: false, failure: undefined };
  const lines = [...headLines(figures, size.width), ...tableLines(view, size)];
  process.stdout.write(lines.map(({ text }) => `${text.trimEnd()}\n`).join(''));
  return 0;
}

const SORT_KEYS: Readonly<Record<string, Sort>> = {
  r: 'rate',
  b: 'bytes',
  l: 'lines',
  e: 'errors',
  a: 'age',
};

class Top {
  readonly #client: AdminClient;
  readonly #wish: TopWish;
  readonly #screen = new Screen(process.stdout);
  readonly #end = new AbortController();
  #exitCode = 0;
  #view: View;
  #latest: Look | undefined;
  /** When the gateway last answered. */
  #answeredMs = performance.now();
  /** Breaks off the pause between two looks. */
  #wake = new AbortController();

  constructor(client: AdminClient, wish: TopWish) {
    this.#client = client;
    this.#wish = wish;
    this.#view = {
      figures: undefined,
      page: undefined,
      sort: wish.sort,
      reverse: false,
      closed: false,
      search: '',
      isSearching: false,
      isPaused: false,
      failure: undefined,
    };
  }

  /** Resolves with the exit code, and rejects with RemoteError. The terminal is as it was. */
  async run(): Promise<number> {
    // A gateway that does not answer at all is told on the usual screen.
    await this.#look();
    const released = this.#takeTerminal();
    try {
      this.#draw();
      while (!this.#end.signal.aborted) {
        await this.#rest();
        if (this.#view.isPaused || this.#end.signal.aborted) continue;
        await this.#lookAgain();
        this.#draw();
      }
    } finally {
      released();
    }
    return this.#exitCode;
  }

  #takeTerminal(): () => void {
    const screen = this.#screen;
    const resized = () => {
      screen.clear();
      this.#draw();
    };
    const listeners = Object.entries(SIGNALS).map(([signal, exitCode]) => {
      const listener = () => this.#quit(exitCode);
      process.on(signal, listener);
      return () => process.off(signal, listener);
    });
    screen.open();
    const keysOff = readKeys(process.stdin, {
      pressed: (key) => this.#pressed(key),
      gone: () => this.#quit(SIGNALS.SIGHUP),
    });
    process.stdout.on('resize', resized).once('error', () => this.#quit(SIGNALS.SIGHUP));
    return () => {
      process.stdout.off('resize', resized);
      for (const off of listeners) off();
      screen.close();
      keysOff();
    };
  }

  #quit(exitCode: number): void {
    this.#exitCode = exitCode;
    this.#end.abort();
    this.#wake.abort();
  }

  async #rest(): Promise<void> {
    this.#wake = new AbortController();
    await pause(this.#wish.interval, undefined, { signal: this.#wake.signal }).catch(() => {});
  }

  async #look(): Promise<void> {
    const { sort, reverse, closed, search } = this.#view;
    const asked = { sort, reverse, closed, search, rows: process.stdout.rows };
    const found = await look(this.#client, asked, this.#end.signal);
    const figures = new Figures(found.stats, this.#latest?.stats);
    this.#latest = found;
    this.#answeredMs = performance.now();
    this.#view = { ...this.#view, figures, page: found.page, failure: undefined };
  }

  /** Keeps the last picture while the gateway does not answer. Rejects when it has not for too long. */
  async #lookAgain(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      if (this.#end.signal.aborted) return;
      if (!(error instanceof RemoteError)) throw error;
      const awayMs = performance.now() - this.#answeredMs;
      if (awayMs > this.#wish.giveUp) throw error;
      this.#view = { ...this.#view, failure: `NO FIGURES for ${timeText(awayMs)}: ${error.message}` };
    }
  }

  #draw(): void {
    const { width, height } = this.#screen;
    this.#screen.draw(linesOf(this.#view, { width, height }));
  }

  #pressed(key: Key): void {
    const before = this.#view;
    if (key === 'interrupt') this.#quit(0);
    else if (key === 'suspend') this.#suspend();
    else if (before.isSearching) this.#view = searching(before, key);
    else if (typeof key === 'object') this.#command(key.character);
    this.#draw();
    const { sort, reverse, closed, search, isPaused } = this.#view;
    const asksOther =
      sort !== before.sort ||
      reverse !== before.reverse ||
      closed !== before.closed ||
      search !== before.search;
    if (asksOther || isPaused !== before.isPaused) this.#wake.abort();
  }

  /** Ctrl-Z: the shell gets the terminal until `fg`. */
  #suspend(): void {
    this.#screen.close();
    process.stdin.setRawMode(false);
    process.once('SIGCONT', () => {
      process.stdin.setRawMode(true);
      this.#screen.open();
      this.#screen.clear();
      this.#draw();
    });
    // The whole process group, as the terminal does it.
    process.kill(0, 'SIGTSTP');
  }

  #command(character: string): void {
    const view = this.#view;
    const sort = SORT_KEYS[character];
    if (sort !== undefined) this.#view = { ...view, sort, closed: false };
    else if (character === 'q') this.#quit(0);
    else if (character === 'o') this.#view = { ...view, reverse: !view.reverse };
    else if (character === 'c') this.#view = { ...view, closed: !view.closed };
    else if (character === 'p' || character === ' ') this.#view = { ...view, isPaused: !view.isPaused };
    else if (character === '/') this.#view = { ...view, isSearching: true, isPaused: false };
  }
}

/** The search follows each key. */
function searching(view: View, key: Key): View {
  const { search } = view;
  if (typeof key === 'object')
    return { ...view, search: [...search, key.character].slice(0, MAX_SEARCH).join('') };
  if (key === 'backspace') return { ...view, search: [...search].slice(0, -1).join('') };
  if (key === 'escape') return { ...view, search: '', isSearching: false };
  return key === 'enter' ? { ...view, isSearching: false } : view;
}
