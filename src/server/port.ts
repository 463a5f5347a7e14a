// A port as its connections see it: with or without TLS, who may connect, and how they speak.
import { DEVICE_MANNER, type Manner } from './manner.ts';
import type { TrustedNetworks } from './trusted-networks.ts';

export interface Port {
  readonly isTls: boolean;
  readonly manner: Manner;
  /** Undefined if every address may connect. */
  readonly trusted?: TrustedNetworks | undefined;
}

/** TCP_PORT. */
export const PLAIN_PORT: Port = { isTls: false, manner: DEVICE_MANNER };

/** TCP_TLS_PORT. */
export const TLS_PORT: Port = { isTls: true, manner: DEVICE_MANNER };

/** False if a reply in plain text could not be read, or would disturb: the connection is closed without a word. */
export function hearsReplies({ isTls, manner }: Port): boolean {
  return !isTls && manner.plain === undefined;
}
