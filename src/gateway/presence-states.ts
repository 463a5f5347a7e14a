// The states of a connection for KAFKA_TOPIC_PRESENCE, read from the connection. It writes nothing.
import type { PresenceState } from '../protocol/presence-state.ts';
import type { Connection } from '../server/connection.ts';

export function connectedState({ id, remoteAddress }: Connection): PresenceState {
  return { event: 'connected', atMs: Date.now(), connectionId: id, remoteAddress };
}

export function identifiedState({ id, remoteAddress, deviceId, frame }: Connection): PresenceState {
  const zipcode = frame?.zipcode;
  return { event: 'identified', atMs: Date.now(), connectionId: id, remoteAddress, deviceId, zipcode };
}

export function closedState(connection: Connection): PresenceState {
  const { closeReason: reason, openedAtMs, receivedLines: lines } = connection;
  const storedSeq = Math.max(connection.storedSeq, connection.resumedSeq);
  return {
    ...identifiedState(connection),
    event: 'closed',
    reason,
    seconds: Math.round((performance.now() - openedAtMs) / 1000),
    lines,
    storedSeq: storedSeq < 0 ? undefined : storedSeq,
  };
}
