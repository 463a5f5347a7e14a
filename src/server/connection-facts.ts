// A connection as operators see it: open, on its way to be served, or closed. Only types, and the stages of its life.
import type { CloseReason } from '../protocol/close-reasons.ts';
import type { ClosingCode, Code } from '../protocol/codes.ts';

/** `closing`: its last reply is on the way, or it is closed. */
export type ConnectionStage = 'proxy' | 'place' | 'tls' | 'identify' | 'identified' | 'lines' | 'closing';

export interface ConnectionFacts {
  readonly id: string;
  readonly remoteAddress: string;
  readonly deviceId: string | undefined;
  readonly zipcode: string | undefined;
  readonly city: string | undefined;
  readonly stage: ConnectionStage;
  readonly isTls: boolean;
  /** Monotonic milliseconds. */
  readonly openedAtMs: number;
  readonly receivedBytes: number;
  readonly receivedLines: number;
  readonly refusedLines: number;
  /** Of the last error or closing reply. */
  readonly lastCode: Code | ClosingCode | undefined;
  /** Why it is not read, as bits of PAUSE. */
  readonly pauses: number;
  readonly end?: { readonly reason: CloseReason; readonly atMs: number };
}

export interface ServedConnection extends ConnectionFacts {
  /** False if it is kicked or ending already. */
  readonly canBeKicked: boolean;
  /** Ends the connection in order, because of an operator. False if that could not be. */
  kick(reconnectAfterMs: number): boolean;
}

/** The facts of a connection that is accepted and not served yet. */
export function factsOfArrival(
  stage: 'proxy' | 'place' | 'tls',
  {
    id,
    address,
    port,
    acceptedAtMs,
  }: {
    readonly id: string;
    readonly address: string;
    readonly port: { readonly isTls: boolean };
    readonly acceptedAtMs: number;
  },
): ConnectionFacts {
  return {
    id,
    remoteAddress: address,
    deviceId: undefined,
    zipcode: undefined,
    city: undefined,
    stage,
    isTls: port.isTls,
    openedAtMs: acceptedAtMs,
    receivedBytes: 0,
    receivedLines: 0,
    refusedLines: 0,
    lastCode: undefined,
    pauses: 0,
  };
}
