// The process of the good devices that send keepalives at a steady rate and time the answers.
import { setTimeout as sleep } from 'node:timers/promises';
import { DeviceSocket } from '../../../load/devices/device-socket.ts';
import type { Target } from '../../../load/plan.ts';
import { serveCalls } from '../../../load/processes/child.ts';
import { Histogram, type LatencySummary } from '../../../load/report/histogram.ts';
import { GOOD_TOKEN } from './good-token.ts';

export interface KeepaliveFigures {
  readonly ms: LatencySummary;
  /** Keepalives without an answer. Each counts in `ms` with the time that it has waited. */
  readonly lost: number;
  /** Connections that broke so far. */
  readonly broken: number;
}

export interface KeepaliveCalls {
  /** Resolves when all are identified. */
  connect(options: { readonly target: Target; readonly count: number }): Promise<void>;
  measure(options: { readonly seconds: number; readonly everyMs: number }): Promise<KeepaliveFigures>;
}

const TICK_MS = 1;
const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 5;
const LINE = '{"type":"keepalive"}\n';

const histogram = new Histogram();
let broken = 0;

class Device {
  identified = false;
  /** When the unanswered keepalives were due. */
  readonly #due: number[] = [];
  readonly #socket: DeviceSocket;
  #isClosed = false;

  constructor(target: Target, index: number) {
    this.#socket = new DeviceSocket(
      { ...target, localAddress: undefined, slow: false },
      {
        connected: () =>
          this.#socket.write(
            `{"type":"identify","zipcode":"${90_000 + index}","city":"Goodville","token":"${GOOD_TOKEN}"}\n`,
          ),
        reply: ({ status }) => this.#onReply(status),
        room: () => {},
        failed: () => {},
        closed: () => {
          if (!this.#isClosed) broken++;
          this.#isClosed = true;
        },
      },
    );
  }

  get unanswered(): number {
    return this.#isClosed ? 0 : this.#due.length;
  }

  send(dueMs: number): void {
    this.#due.push(dueMs);
    if (!this.#isClosed) this.#socket.write(LINE);
  }

  /** Gives up waiting. Returns how many had no answer. */
  settle(): number {
    const nowMs = performance.now();
    for (const dueMs of this.#due) histogram.record((nowMs - dueMs) * 1000);
    return this.#due.splice(0).length;
  }

  #onReply(status: string): void {
    if (status === 'identified') this.identified = true;
    const dueMs = status === 'alive' ? this.#due.shift() : undefined;
    if (dueMs !== undefined) histogram.record((performance.now() - dueMs) * 1000);
  }
}

let devices: readonly Device[] = [];

serveCalls<KeepaliveCalls>({
  async connect({ target, count }) {
    devices = Array.from({ length: count }, (_, index) => new Device(target, index));
    await until(() => devices.every(({ identified }) => identified));
    if (!devices.every(({ identified }) => identified)) throw new Error('a good device was not identified');
  },

  async measure({ seconds, everyMs }) {
    const startMs = performance.now();
    const slotMs = everyMs / devices.length;
    let sent = 0;
    // Each keepalive keeps its due time, however late it is written: a stall counts for all that were due in it.
    for (;;) {
      const passedMs = Math.min(performance.now() - startMs, seconds * 1000);
      for (; sent * slotMs <= passedMs; sent++) devices[sent % devices.length]?.send(startMs + sent * slotMs);
      if (passedMs === seconds * 1000) break;
      await sleep(TICK_MS);
    }
    await until(() => devices.every(({ unanswered }) => unanswered === 0));
    const lost = devices.reduce((sum, device) => sum + device.settle(), 0);
    const ms = histogram.summary();
    histogram.take();
    return { ms, lost, broken };
  },
});

/** Resolves once the condition holds, or after 10 s. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  while (!holds() && performance.now() < deadline) await sleep(POLL_MS);
}
