// The health of components that go wrong with time, from the figures: certificates, and the clock.
import type { Figures } from '../admin/snapshot.ts';
import type { Component } from './component.ts';
import { type Context, found } from './found.ts';

/** Seconds between the clock of the broker and ours. */
export const CLOCK_DIFFERS = { begins: 5, ends: 4 } as const;
const WARN_BEFORE_DAYS = 30;
const LIFETIME_SHARE = 1 / 4;

/** Whoever renews short-lived certificates by a program renews them earlier, so a quarter of a lifetime may be less. */
export function expiresSoon(daysLeft: number, lifetimeDays: number): boolean {
  return daysLeft < Math.min(WARN_BEFORE_DAYS, LIFETIME_SHARE * lifetimeDays);
}

export function certificates({ tls: { daysLeft, lifetimeDays } }: Figures): Component {
  const files = Object.entries(daysLeft).sort(([, a], [, b]) => a - b);
  const [first] = files;
  if (first === undefined) return found('certificates', 'ok', { reason: 'there is no TLS port' });
  const [file, days] = first;
  const setting = `TCP_TLS_${file.toUpperCase()}`;
  if (days <= 0)
    return found('certificates', 'expired', { reason: `${setting}: expired ${daysText(-days)} ago` });
  const soon = files.find(([name, left]) =>
    expiresSoon(left, lifetimeDays[name] ?? Number.POSITIVE_INFINITY),
  );
  if (soon !== undefined) {
    const reason = `TCP_TLS_${soon[0].toUpperCase()}: expires in ${daysText(soon[1])}`;
    return found('certificates', 'expires_soon', { reason });
  }
  return found('certificates', 'ok', { reason: `${setting} is the first to expire, in ${daysText(days)}` });
}

export function clock({ kafka: { clockOffsetSeconds: offset } }: Figures, { had }: Context): Component {
  if (offset === null)
    return found('clock', 'unknown', { reason: 'no answer of Kafka has told the clock of a broker' });
  const limit = had('clock', 'differs') ? CLOCK_DIFFERS.ends : CLOCK_DIFFERS.begins;
  const seconds = Math.abs(offset);
  if (seconds < limit)
    return found('clock', 'ok', { reason: `it differs from that of the broker by ${secondsText(seconds)}` });
  const side = offset > 0 ? 'behind' : 'ahead of';
  return found('clock', 'differs', { reason: `it is ${secondsText(seconds)} ${side} that of the broker` });
}

function daysText(days: number): string {
  if (days >= 2) return `${Math.floor(days)} days`;
  return days * 24 >= 2 ? `${Math.floor(days * 24)} hours` : `${Math.floor(days * 24 * 60)} minutes`;
}

function secondsText(seconds: number): string {
  if (seconds < 1) return 'less than 1 s';
  return seconds < 600 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} minutes`;
}
