// One direction of the channel between a process and its child. Messages are copied through JSON, as Node does, and arrive
// later, in order. What was sent before the sender died still arrives.
import type { SimProcess } from './sim-process.ts';
import { world } from './world.ts';

/** A message through a pipe of the same machine takes this long, in milliseconds. */
const MESSAGE_MS = { from: 0.03, to: 0.2 };

type Deliver = (event: 'message' | 'disconnect', ...args: unknown[]) => void;

export class IpcPipe {
  readonly #from: SimProcess;
  readonly #to: SimProcess;
  readonly #deliver: Deliver;
  #lastAtMs = 0;
  #isOpen = true;
  /** What came before the receiver's program has started. */
  #held: (() => void)[] | undefined;

  constructor(from: SimProcess, to: SimProcess, deliver: Deliver) {
    this.#from = from;
    this.#to = to;
    this.#deliver = deliver;
    from.onDeath(() => this.disconnect());
    to.onDeath(() => {
      this.#isOpen = false;
    });
  }

  get connected(): boolean {
    return this.#isOpen;
  }

  send(message: unknown, done?: (error: Error | null) => void): boolean {
    if (!this.#isOpen) {
      const error = Object.assign(new Error('Channel closed'), { code: 'ERR_IPC_CHANNEL_CLOSED' });
      world().after(0, () => done?.(error), this.#from);
      return false;
    }
    const text = JSON.stringify(message);
    this.#arrives(() => this.#deliver('message', JSON.parse(text)));
    if (done !== undefined) world().after(0, () => done(null), this.#from);
    return true;
  }

  /** Nothing more is sent. The other end hears of it behind the last message. */
  disconnect(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#arrives(() => this.#deliver('disconnect'));
  }

  /** When the last message arrives. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  /** Keeps what arrives until flow(). */
  hold(): void {
    this.#held = [];
  }

  /** Called by the receiver's program once it listens. */
  flow(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const deliver of held) world().after(0, deliver, this.#to);
  }

  #arrives(deliver: () => void): void {
    const here = world();
    const { from, to } = MESSAGE_MS;
    const atMs = here.nowMs + from + (to - from) * here.random('messages between processes').next();
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs);
    const arrive = () => (this.#held === undefined ? deliver() : void this.#held.push(deliver));
    here.at(this.#lastAtMs, arrive, this.#to);
  }
}
