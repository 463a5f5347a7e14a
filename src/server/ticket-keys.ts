// The keys that seal session tickets. All server processes make the same ones, so a device can resume its session in any
// of them. They are never written anywhere.
import { hkdfSync, randomBytes } from 'node:crypto';

const KEY_BYTES = 48;
const SECRET_BYTES = 32;
const DAY_MS = 24 * 60 * 60 * 1000;

/** As text, for the messages between processes. */
export function newTicketSecret(): string {
  return randomBytes(SECRET_BYTES).toString('hex');
}

/** The keys change when it changes, so that a key that leaks opens the sessions of one day. */
export function ticketDay(nowMs = Date.now()): number {
  return Math.floor(nowMs / DAY_MS);
}

/** @param digest of certificate, CA and CRL: a device that they no longer allow must not come back with an old ticket */
export function ticketKeys(secret: string, { digest, day }: { digest: Buffer; day: number }): Buffer {
  return Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'hex'), digest, `sluice ${day}`, KEY_BYTES));
}
