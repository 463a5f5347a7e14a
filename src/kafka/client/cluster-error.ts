// The ways in which a broker can fail us, and the one helper that puts an end to a wait for it.

/**
 * A broker could not be used. What was sent to it may have been done, unless the code says that it was never sent.
 * - `UNREACHABLE`: no connection could be made, or we dropped it.
 * - `TIMEOUT`: no answer in time.
 * - `CLOSED`: the broker closed or reset the connection while this request was unanswered.
 * - `AUTHENTICATION`: the broker refuses our login.
 * - `UNSUPPORTED`: the broker speaks none of the versions of a request that we speak.
 * - `PROTOCOL`: the answer breaks the protocol.
 */
export type ClusterErrorCode =
  | 'UNREACHABLE'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'AUTHENTICATION'
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

/** The broker answered with an error code of its own. That says nothing against the connection. */
export class AnswerError extends Error {
  readonly code = 'ANSWER';
  /** Kafka's error code, for `kafkaError`. */
  readonly errorCode: number;
  constructor(errorCode: number, message: string) {
    super(message);
    this.errorCode = errorCode;
  }
}

/** Settles as `work` does, or rejects with TIMEOUT after `ms`. */
export async function within<T>(ms: number, work: Promise<T>, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ClusterError('TIMEOUT', `${message} within ${Math.round(ms)} ms`)),
      ms,
    );
  });
  // If the work fails after the time limit, nobody waits for it: this keeps the rejection from ending the process.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
