// The optional rates of one connection: lines a second and bytes a second (TCP_MAX_MESSAGES_PER_SECOND,
// TCP_MAX_BYTES_PER_SECOND). One second's worth may come at once.
import { TokenBucket } from './token-bucket.ts';

/** 0 = no limit. */
export interface RateOptions {
  readonly maxMessagesPerSecond: number;
  readonly maxBytesPerSecond: number;
}

export interface LineRates {
  /** Lines were taken, or a part of one. Returns the milliseconds for which no further line may be taken. */
  charge(bytes: number, nowMs: number, lines: number): number;
}

export function hasRate({ maxMessagesPerSecond, maxBytesPerSecond }: RateOptions): boolean {
  return maxMessagesPerSecond > 0 || maxBytesPerSecond > 0;
}

/** Undefined if there is no rate, so that a line costs nothing then. */
export function createLineRates(options: RateOptions, nowMs: number): LineRates | undefined {
  const { maxMessagesPerSecond, maxBytesPerSecond } = options;
  if (!hasRate(options)) return undefined;
  const bucket = (perSecond: number) =>
    perSecond === 0 ? undefined : new TokenBucket({ perSecond, burst: perSecond }, nowMs);
  const messages = bucket(maxMessagesPerSecond);
  const bytes = bucket(maxBytesPerSecond);
  return {
    charge: (lineBytes, atMs, lines) =>
      Math.max(messages?.charge(lines, atMs) ?? 0, bytes?.charge(lineBytes, atMs) ?? 0),
  };
}
