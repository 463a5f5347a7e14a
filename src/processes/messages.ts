// The messages between the first process and the server processes: JSON over Node's IPC channel. They are small, and
// events of connections travel in batches, so that nothing waits in the channel. Sockets do not travel.
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';

/** From the first process to a server process. */
export type Order =
  /**
   * Comes once, before all others. `settings` is the share of this process. It does not read `.env` or the environment:
   * after a crash they may have changed. Settings hold secrets, so orders must not be logged.
   */
  | {
      readonly type: 'start';
      readonly index: number;
      readonly settings: Settings;
      readonly orphanedParts: string[];
      /** Sockets that the process may have open. Null = no limit. */
      readonly maxSockets: number | null;
    }
  /** To accept connections on the inherited descriptors. */
  | { readonly type: 'listen' }
  | { readonly type: 'connections'; readonly orders: readonly ConnectionOrder[] }
  | { readonly type: 'snapshot'; readonly request: number }
  /** A busy process reads this order late, so it carries the time of machineMs() when it was given. */
  | { readonly type: 'stop'; readonly givenAtMs: number };

/** From a server process to the first one. */
export type Report =
  | { readonly type: 'started' }
  | { readonly type: 'listening' }
  /** It could not start or listen, and ends. */
  | {
      readonly type: 'failed';
      readonly message: string;
      readonly code: string | undefined;
      readonly exitCode: number;
    }
  | { readonly type: 'connections'; readonly events: readonly ConnectionEvent[] }
  | { readonly type: 'snapshot'; readonly request: number; readonly snapshot: Snapshot }
  | { readonly type: 'stopped'; readonly result: StopResult };

/** Milliseconds of the monotonic clock, which all processes of the machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
