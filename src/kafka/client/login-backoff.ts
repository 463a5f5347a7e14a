// Spaces out logins once Kafka refuses them. All connections, for control and for produce, log in as the same user,
// and Kafka's side may count failed logins and lock that user out. So from the first refusal on there is one attempt
// at a time, and less than one a second, however many connections wait for it. While logins work nothing is held back.
import { type BackoffOptions, backoffMs } from '../../time/backoff.ts';

/** Half of a pause is the least that jitter leaves of it: still below one attempt a second. */
const PAUSE: BackoffOptions = { firstMs: 2200, maxMs: 3000 };

export class LoginBackoff {
  readonly #now: () => number;
  #refusal: Error | undefined;
  #refusals = 0;
  #pausedUntilMs = 0;
  // Of those that waited for the same moment only one gets in.
  #takenUntilMs = 0;

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The latest login was refused. */
  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /**
   * Asks to log in; one of the three below has to follow. While logins are refused this takes `mayRetry`, and a
   * pause that is over.
   * @throws the refusal if it may not
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

  /** It did not come to a login: the turn is the next one's. */
  notTried(): void {
    this.#takenUntilMs = 0;
  }
}
