// Keeps one token for all logins of a process: asks for the next one after half of the lifetime, and never twice at once.
// While the endpoint gives none, the old token serves until it ends, and attempts are spaced out.
import { type BackoffOptions, backoffMs } from '../../time/backoff.ts';

export interface Token {
  readonly value: string;
  /** From the moment of the request. */
  readonly lifetimeMs: number;
}

export interface TokenSourceOptions {
  /** Rejects with ClusterError TOKEN. */
  readonly request: () => Promise<Token>;
  /** The old token stays in use after a failure. */
  readonly notRenewed: (failure: Error, remainingMs: number) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/**
 * Brokers end a connection with its token, and the gateway replaces connections in the second half of their time
 * (sasl-session.ts). So the new connection comes with a new token.
 */
const RENEW_AT = 0.5;
/** A broker whose clock is ahead would refuse the last of it. */
const USED_UNTIL = 0.95;
/** An attempt may be two requests (token-endpoint.ts). Jitter leaves at least half, so these are less than one a second. */
const PAUSE: BackoffOptions = { firstMs: 4400, maxMs: 6000 };

interface Held {
  readonly value: string;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
}

export class TokenSource {
  readonly #options: TokenSourceOptions;
  readonly #now: () => number;
  #held: Held | undefined;
  #requesting: Promise<void> | undefined;
  #failure: Error | undefined;
  #failures = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: TokenSourceOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** A token for a new connection. Rejects with ClusterError TOKEN if there is none. */
  async token(): Promise<string> {
    const held = this.#held;
    const now = this.#now();
    if (held !== undefined && now < held.renewAtMs) return held.value;
    if (now >= this.#notBeforeMs) {
      this.#requesting ??= this.#request().finally(() => {
        this.#requesting = undefined;
      });
    }
    await this.#requesting;
    const usable = this.#held;
    if (usable !== undefined && this.#now() < usable.endsAtMs) return usable.value;
    throw this.#failure ?? new Error('a token was asked for and neither came nor failed');
  }

  /** A broker has refused this token, so it is not handed out again. */
  refused(token: string): void {
    if (this.#held?.value === token) this.#held = undefined;
  }

  async #request(): Promise<void> {
    const startedAtMs = this.#now();
    try {
      const { value, lifetimeMs } = await this.#options.request();
      this.#held = {
        value,
        renewAtMs: startedAtMs + lifetimeMs * RENEW_AT,
        endsAtMs: startedAtMs + lifetimeMs * USED_UNTIL,
      };
      this.#failure = undefined;
      this.#failures = 0;
    } catch (error) {
      this.#failure = error as Error;
      this.#failures++;
      const now = this.#now();
      this.#notBeforeMs = now + backoffMs(this.#failures, PAUSE);
      const remainingMs = (this.#held?.endsAtMs ?? now) - now;
      if (remainingMs > 0) this.#options.notRenewed(this.#failure, remainingMs);
    }
  }
}
