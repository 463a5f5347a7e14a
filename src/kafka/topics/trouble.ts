// Holds why records cannot be delivered now, and decides how often the log repeats it.
import type { Logger } from 'pino';
import { AnswerError, ClusterError } from '../client/cluster-error.ts';
import { kafkaError } from '../wire/errors.ts';

export interface Trouble {
  readonly message: string;
  /** Each kind is logged at once, and again after REMIND_EVERY_MS at the earliest. */
  readonly kind: string;
  /** A broker answers, so the trouble may pass within a second: it is reported only after several tries. */
  readonly mayPass: boolean;
  /** Other partitions are delivered. */
  readonly isPartial: boolean;
}

export interface TroubleLogOptions {
  readonly brokers: readonly string[];
  /** Log at level debug, because another refresher of the same cluster logs its state. */
  readonly quiet: boolean;
  readonly log: Logger;
}

const REMIND_EVERY_MS = 60_000;

export class TroubleLog {
  readonly #options: TroubleLogOptions;
  readonly #loggedAtMs = new Map<string, number>();
  #current: Pick<Trouble, 'message' | 'isPartial'> | null = {
    message: 'not connected to Kafka yet',
    isPartial: false,
  };

  constructor(options: TroubleLogOptions) {
    this.#options = options;
  }

  /** Null if all records can be delivered. */
  get current(): Pick<Trouble, 'message' | 'isPartial'> | null {
    return this.#current;
  }

  /** @param partitions number of partitions of the topic */
  end(partitions: number | undefined): void {
    if (this.#current !== null) {
      const { brokers, quiet, log } = this.#options;
      log[quiet ? 'debug' : 'info']({ brokers, partitions }, 'Kafka is reachable, records are flowing');
    }
    this.#current = null;
    this.#loggedAtMs.clear();
  }

  begin(trouble: Trouble): void {
    const { message, kind, isPartial } = trouble;
    this.#current = trouble;
    const now = performance.now();
    if (now - (this.#loggedAtMs.get(kind) ?? Number.NEGATIVE_INFINITY) < REMIND_EVERY_MS) return;
    this.#loggedAtMs.set(kind, now);
    const { brokers, quiet, log } = this.#options;
    const [what, whose] = isPartial
      ? ['Kafka cannot be used in full', 'the records of these partitions']
      : ['Kafka cannot be used', 'their records'];
    log[quiet ? 'debug' : 'warn'](
      { brokers, reason: message },
      `${what}: ${message}. Devices are served; ${whose} wait in the spool on disk (SPOOL_DIR), ` +
        'nothing is dropped. A local Kafka for trying: npm run kafka',
    );
  }
}

/** A trouble that may pass within a second, because a broker answers. */
export function mayPass(message: string): Trouble {
  return { message, kind: 'ANSWER', mayPass: true, isPartial: false };
}

export function refused(what: string, errorCode: number): Trouble {
  const { name, remedy } = kafkaError(errorCode);
  const advice = remedy === undefined ? '' : `; ${remedy}`;
  return { ...mayPass(`${what}: ${name}${advice}`), kind: name };
}

/** @param error of a request that a broker refused or that no broker answered */
export function asTrouble(error: unknown): Trouble {
  if (error instanceof AnswerError) return refused('Kafka refuses a request', error.errorCode);
  const { message } = error as Error;
  if (!(error instanceof ClusterError)) return mayPass(message);
  return { message, kind: error.code, mayPass: false, isPartial: false };
}
