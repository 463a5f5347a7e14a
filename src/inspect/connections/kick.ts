// The order to close connections, as a process gets it. Only types and limits.

export const RECONNECT_AFTER_MS = { min: 0, max: 5 * 60_000 } as const;

/** Which connections: exactly one of these. */
export type KickTarget =
  | { readonly connectionId: string }
  | { readonly deviceId: string }
  /** As canonicalAddress() gives it. */
  | { readonly address: string };

export interface KickOrder {
  readonly target: KickTarget;
  /** Null: each connection gets one of its own. */
  readonly reconnectAfterMs: number | null;
}

/** `busy`: too many kicks wait already, and nobody was kicked. */
export type Kicked = { readonly kicked: number } | 'busy';
