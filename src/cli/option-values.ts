// Checks the values of options that several commands have. It reads no settings.
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/kinds.ts';
import { parseSetting } from '../config/settings.ts';

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('allowed: a whole number.');
  return Number(text);
}

export function brokerList(text: string): string {
  const parsed = parseSetting('KAFKA_BROKERS', text);
  if (parsed === undefined || parsed.length === 0)
    throw new InvalidArgumentError('allowed: host:port, separated by commas.');
  return text;
}

/** Gives the duration in milliseconds. @param minMs the shortest that is allowed */
export function durationFrom(minMs: number): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms === undefined || ms < minMs)
      throw new InvalidArgumentError('allowed: a duration, such as 30s, 10m or 2h.');
    return ms;
  };
}

export const duration = durationFrom(1);
