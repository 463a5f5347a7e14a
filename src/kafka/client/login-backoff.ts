// Spaces out logins after Kafka has refused one. All connections log in as one user, and an authentication service may
// lock that user out after some failures. So until a login works, all connections together make less than one attempt
// a second. It never delays a login before the first refusal.
import { type BackoffOptions, backoffMs } from '../../time/backoff.ts';

/** Jitter leaves at least half of a pause, so that there is less than one attempt a second. */
const PAUSE: BackoffOptions = { firstMs: 2200, maxMs: 3000 };

export class LoginBackoff {
  readonly #now: () => number;
  #refusal: Error | undefined;
  #refusals = 0;
  #pausedUntilMs = 0;
  // Only one of the connections that waited for the same moment may try.
  #takenUntilMs = 0;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Why the latest login was refused. Undefined if it was not. */
  get refusal(): Error | undefined {
    return this.#refusal;
  }

  /**
   * Call it before a login, and one of the three methods below after it. While logins are refused, only a caller with
   * `mayRetry` may log in, after the pause.
   * @throws the last refusal if the caller may not log in now
   */
  enter(mayRetry: boolean): void {
    if (this.#refusal === undefined) return;
    const now = this.#now();
    if (!mayRetry || now < this.#pausedUntilMs || now < this.#takenUntilMs) throw this.#refusal;
    this.#takenUntilMs = now + backoffMs(this.#refusals, PAUSE);
  }

  accepted(): void {
    this.#refusal = undefined;
    this.#refusals = 0;
    this.#takenUntilMs = 0;
  }

  refused(refusal: Error): void {
    this.#refusal = refusal;
    this.#refusals++;
    this.#pausedUntilMs = this.#now() + backoffMs(this.#refusals, PAUSE);
  }

  /** The connection failed before the login, so another one may try. */
  notTried(): void {
    this.#takenUntilMs = 0;
  }
}
