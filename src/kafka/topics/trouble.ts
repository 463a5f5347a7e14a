// Holds why records cannot be delivered now, and decides how often the debug log repeats it.
import type { Log } from '../../log/log.ts';
import { AnswerError, ClusterError, type ClusterErrorCode } from '../client/cluster-error.ts';
import { kafkaError } from '../wire/errors.ts';

/**
 * - `connecting`: nothing has been tried yet.
 * - `login`: a broker refuses the login.
 * - `token`: there is no token for the login.
 * - `brokers`: no broker answers.
 * - `versions`: the brokers speak no version of a request that we speak.
 * - `leaders`: leaders of partitions cannot be connected to.
 * - `leaderless`: partitions have no leader.
 * - `fewer`: a broker names fewer partitions than before.
 * - `topic`: the topic is missing, or Kafka refuses requests about it.
 */
export type TroubleCause =
  | 'connecting'
  | 'login'
  | 'token'
  | 'brokers'
  | 'versions'
  | 'leaders'
  | 'leaderless'
  | 'fewer'
  | 'topic';

export interface Trouble {
  readonly cause: TroubleCause;
  readonly message: string;
  /** Each kind is logged at once, and again after REMIND_EVERY_MS at the earliest. */
  readonly kind: string;
  /** A broker answers, so the trouble may pass within a second: it is reported only after several tries. */
  readonly mayPass: boolean;
  /** Other partitions are delivered. */
  readonly isPartial: boolean;
}

export type CurrentTrouble = Pick<Trouble, 'cause' | 'message' | 'isPartial'>;

export interface TroubleLogOptions {
  readonly topic: string;
  readonly log: Log;
}

/** UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED. */
const LOGIN_CODES: ReadonlySet<number> = new Set([33, 34, 58]);
const CAUSES: Readonly<Partial<Record<ClusterErrorCode, TroubleCause>>> = {
  AUTHENTICATION: 'login',
  TOKEN: 'token',
  UNSUPPORTED: 'versions',
};
const REMIND_EVERY_MS = 60_000;

export class TroubleLog {
  readonly #options: TroubleLogOptions;
  readonly #loggedAtMs = new Map<string, number>();
  #current: CurrentTrouble | null = {
    cause: 'connecting',
    message: 'not connected to Kafka yet',
    isPartial: false,
  };

  constructor(options: TroubleLogOptions) {
    this.#options = options;
  }

  /** Null if all records can be delivered. */
  get current(): CurrentTrouble | null {
    return this.#current;
  }

  /** @param partitions number of partitions of the topic */
  end(partitions: number | undefined): void {
    if (this.#current !== null) {
      const { topic, log } = this.#options;
      log.write('topic_trouble_ended', { topic, partitions });
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
    const { topic, log } = this.#options;
    log.write('topic_trouble_began', { topic, reason: message, isPartial });
  }
}

/** A trouble that may pass within a second, because a broker answers. */
export function mayPass(message: string): Trouble {
  return { cause: 'topic', message, kind: 'ANSWER', mayPass: true, isPartial: false };
}

export function refused(what: string, errorCode: number): Trouble {
  const { name, remedy } = kafkaError(errorCode);
  const advice = remedy === undefined ? '' : `; ${remedy}`;
  const cause = LOGIN_CODES.has(errorCode) ? 'login' : 'topic';
  return { ...mayPass(`${what}: ${name}${advice}`), kind: name, cause };
}

/** @param error of a request that a broker refused or that no broker answered */
export function asTrouble(error: unknown): Trouble {
  if (error instanceof AnswerError) return refused('Kafka refuses a request', error.errorCode);
  const { message } = error as Error;
  if (!(error instanceof ClusterError)) return mayPass(message);
  const cause = CAUSES[error.code] ?? 'brokers';
  return { cause, message, kind: error.code, mayPass: false, isPartial: false };
}
