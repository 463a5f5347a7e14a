// The errors of requests to brokers, and a helper that puts a time limit on one.

/**
 * Why a broker could not be used. A request may have been carried out all the same.
 * - `UNREACHABLE`: no connection could be made, we dropped it, or the request was never sent.
 * - `TIMEOUT`: no answer in time.
 * - `CLOSED`: the broker closed or reset the connection before it answered.
 * - `AUTHENTICATION`: the broker refuses our login.
 * - `TOKEN`: there is no token to log in with, so no connection was made.
 * - `UNSUPPORTED`: the broker speaks none of the versions of a request that we speak.
 * - `PROTOCOL`: the answer breaks the protocol.
 */
export type ClusterErrorCode =
  | 'UNREACHABLE'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'AUTHENTICATION'
  | 'TOKEN'
  | 'UNSUPPORTED'
  | 'PROTOCOL';

export class ClusterError extends Error {
  readonly code: ClusterErrorCode;
  readonly retriable = true;
  constructor(code: ClusterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The broker answered the request with one of Kafka's error codes. The connection is fine. */
export class AnswerError extends Error {
  readonly code = 'ANSWER';
  /** Look it up with kafkaError(). */
  readonly errorCode: number;
  constructor(errorCode: number, message: string) {
    super(message);
    this.errorCode = errorCode;
  }
}

/** Settles as `work` does, or rejects with TIMEOUT after `ms` milliseconds. */
export async function within<T>(ms: number, work: Promise<T>, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ClusterError('TIMEOUT', `${message} within ${Math.round(ms)} ms`)),
      ms,
    );
  });
  // If the work fails after the time limit, an unhandled rejection would end the process.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
