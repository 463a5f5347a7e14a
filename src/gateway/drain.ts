// The time between the order to stop and the stop itself: first the gateway serves on and says that it is not ready, so
// that balancers send no new devices. Then its devices are told to go. It closes nothing itself.
import type { Settings } from '../config/settings.ts';
import type { Log } from '../log/log.ts';
import { type DeparturePlan, returnWindowMs } from '../server/departures.ts';

export interface DrainParts {
  /** Connections of all processes. */
  readonly devices: () => number;
  /** Closes the ports, and begins to tell the devices to go. */
  readonly depart: (plan: DeparturePlan) => void;
  readonly log: Log;
}

/** How a stop goes, and why. */
export interface StopHow {
  /** Whether SHUTDOWN_DRAIN and SHUTDOWN_SPREAD come first. A later call without it cuts them short. */
  readonly drains?: boolean;
  /** A signal, or another cause. For the log. */
  readonly reason?: string;
}

const POLL_MS = 50;

export class Drain {
  readonly #drainMs: number;
  readonly #spreadMs: number;
  readonly #parts: DrainParts;
  #cut = false;
  #wake: (() => void) | undefined;

  constructor({ SHUTDOWN_DRAIN, SHUTDOWN_SPREAD }: Settings, parts: DrainParts) {
    this.#drainMs = SHUTDOWN_DRAIN;
    this.#spreadMs = SHUTDOWN_SPREAD;
    this.#parts = parts;
  }

  /** Resolves when the stop may begin: at once if it `drains` nothing. */
  async run({ drains = false, reason }: StopHow): Promise<void> {
    const { log } = this.#parts;
    if (drains) await this.#drain(reason);
    log.write('stop_began', { reason });
  }

  /** Somebody does not want to wait: the stop may begin now. */
  cut(): void {
    this.#cut = true;
    this.#wake?.();
  }

  async #drain(reason: string | undefined): Promise<void> {
    const { devices, depart, log } = this.#parts;
    const [drainMs, spreadMs] = [this.#drainMs, this.#spreadMs];
    if (drainMs > 0 && !this.#cut) {
      log.write('drain_began', { reason, drainMs, devices: devices() });
      await this.#wait(drainMs);
    }
    if (spreadMs === 0 || this.#cut) return;
    const leaving = devices();
    const plan = { overMs: spreadMs, returnMs: returnWindowMs(leaving) };
    log.write('departures_began', { devices: leaving, ...plan });
    depart(plan);
    await this.#wait(spreadMs, () => devices() === 0);
  }

  /** Until the time has passed, `isOver` says so, or somebody cuts it short. */
  #wait(ms: number, isOver?: () => boolean): Promise<void> {
    if (this.#cut) return Promise.resolve();
    return new Promise((resolve) => {
      const poll = isOver && setInterval(() => isOver() && end(), POLL_MS);
      const timer = setTimeout(() => end(), ms);
      const end = () => {
        clearInterval(poll);
        clearTimeout(timer);
        resolve();
      };
      this.#wake = end;
    });
  }
}
