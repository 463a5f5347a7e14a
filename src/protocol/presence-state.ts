// The value of a presence record (docs/protocol.md, "Presence"): the state of a connection, for KAFKA_TOPIC_PRESENCE. It
// keeps no state.
import type { CloseReason } from './close-reasons.ts';

/** A connection that ended with its process has no reason of its own. */
export const CRASHED = 'gateway_crashed';

export interface PresenceState {
  readonly event: 'connected' | 'identified' | 'closed';
  /** Wall clock, milliseconds since 1970. */
  readonly atMs: number;
  readonly connectionId: string;
  readonly remoteAddress: string;
  readonly deviceId?: string | undefined;
  readonly zipcode?: string | undefined;
  /** Of the end. */
  readonly reason?: CloseReason | typeof CRASHED;
  /** From the connection's begin to its end. */
  readonly seconds?: number;
  /** Lines received. */
  readonly lines?: number;
  /** The highest seq that was stored by then. Left out if none was. */
  readonly storedSeq?: number | undefined;
}

/** Canonical JSON. Facts that are not known are left out. */
export function presenceValue(state: PresenceState): Buffer {
  return Buffer.from(
    JSON.stringify({
      event: state.event,
      reason: state.reason,
      at: new Date(state.atMs).toISOString(),
      connection_id: state.connectionId,
      device_id: state.deviceId,
      zipcode: state.zipcode,
      remote_address: state.remoteAddress,
      seconds: state.seconds,
      lines: state.lines,
      stored_seq: state.storedSeq,
    }),
  );
}

/**
 * The end of a connection whose process has crashed, from its last state.
 * @param sinceMs when it connected, milliseconds since 1970
 */
export function crashedState(last: PresenceState, { sinceMs, nowMs }: { sinceMs: number; nowMs: number }) {
  const { connectionId, remoteAddress, deviceId, zipcode } = last;
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000));
  const state: PresenceState = {
    event: 'closed',
    reason: CRASHED,
    atMs: nowMs,
    connectionId,
    remoteAddress,
    deviceId,
    zipcode,
    seconds,
  };
  return state;
}
