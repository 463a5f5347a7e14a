// What the first process and the server processes say to each other, as JSON over Node's channel; a socket travels
// beside a `connection`.
import type { Snapshot } from '../admin/snapshot.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';

/** From the first process to a server process. */
export type Order =
  /**
   * Comes once, first of all. The settings are this process's share of the first one's: a process that read `.env` and
   * the environment again after a crash could differ from those beside it. They hold secrets, so nobody logs an order.
   */
  | {
      readonly type: 'start';
      readonly index: number;
      readonly settings: Settings;
      readonly orphanedParts: string[];
    }
  | { readonly type: 'connection'; readonly number: number }
  /** The device of that connection has a newer one in another process. */
  | { readonly type: 'replaced'; readonly number: number }
  | { readonly type: 'snapshot'; readonly request: number }
  /** Sockets before it in the channel can hold up this order, so it says when it was given, by machineMs(). */
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

/** Milliseconds on the machine's monotonic clock: the same in every process, and never set back. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
