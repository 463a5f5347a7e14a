// The messages between the first process and the server processes: JSON over Node's IPC channel. A socket travels with
// the order `connection`.
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';

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
    }
  | { readonly type: 'connection'; readonly number: number }
  /** The device of this connection has a newer connection in another process. */
  | { readonly type: 'replaced'; readonly number: number }
  | { readonly type: 'snapshot'; readonly request: number }
  /** Sockets before it in the channel can delay this order, so it carries the time of machineMs() when it was given. */
  | { readonly type: 'stop'; readonly givenAtMs: number };

/** From a server process to the first one. */
export type Report =
  | { readonly type: 'started' }
  | {
      readonly type: 'failed';
      readonly message: string;
      readonly code: string | undefined;
      readonly exitCode: number;
    }
  | {
      readonly type: 'identified';
      readonly number: number;
      readonly zipcode: string;
      readonly deviceId: string | undefined;
    }
  | { readonly type: 'closed'; readonly number: number }
  | { readonly type: 'snapshot'; readonly request: number; readonly snapshot: Snapshot }
  | { readonly type: 'stopped'; readonly result: StopResult };

/** Milliseconds of the monotonic clock, which all processes of the machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
