// The messages between the first process and the server processes: JSON over Node's IPC channel. They are small, and
// events of connections travel in batches, so that nothing waits in the channel. Sockets do not travel.
import type { Figures } from '../admin/snapshot.ts';
import type { LogLevel, Settings } from '../config/settings.ts';
import type { TlsContents } from '../gateway/device-tls-files.ts';
import type { StopResult } from '../gateway/stop-result.ts';
import type { Asked } from '../inspect/questions.ts';
import type { ConnectionEvent, ConnectionOrder } from '../server/connection-ledger.ts';
import type { DeparturePlan } from '../server/departures.ts';

/** The TLS ports of all server processes have this in common. */
export interface TlsOfGroup {
  readonly ticketSecret: string;
  /** The latest valid contents of the files, for a process that finds broken ones when it starts again. */
  readonly contents: TlsContents;
}

/** From the first process to a server process. */
export type Order =
  /**
   * Comes once, before all others. `settings` is the share of this process. It does not read `.env` or the environment:
   * after a crash they may have changed. Settings hold secrets, so orders must not be logged.
   */
  | {
      readonly type: 'start';
      readonly index: number;
      /** The first process, which operators stop. */
      readonly gatewayPid: number;
      readonly settings: Settings;
      readonly orphanedParts: string[];
      /** Sockets that the process may have open. Null = no limit. */
      readonly maxSockets: number | null;
      readonly tls: TlsOfGroup | null;
      /** The latest valid content of TCP_TOKENS_FILE. Null if tokens are off. */
      readonly tokens: string | null;
    }
  /** To accept connections on the inherited descriptors. */
  | { readonly type: 'listen' }
  /** To read certificates, tokens and passwords again. */
  | { readonly type: 'reload-files' }
  | { readonly type: 'log-level'; readonly level: LogLevel }
  /** To accept no further connections, and to tell the devices to go. */
  | { readonly type: 'depart'; readonly plan: DeparturePlan }
  | { readonly type: 'connections'; readonly orders: readonly ConnectionOrder[] }
  | { readonly type: 'figures'; readonly request: number }
  /** Answered by the report `answer`. */
  | { readonly type: 'ask'; readonly request: number; readonly asked: Asked }
  /** A busy process reads this order late, so it carries the time of machineMs() when it was given. */
  | { readonly type: 'stop'; readonly givenAtMs: number; readonly returnMs?: number | undefined };

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
  | { readonly type: 'figures'; readonly request: number; readonly figures: Figures }
  /** JSON; null if there is no answer. */
  | { readonly type: 'answer'; readonly request: number; readonly text: string | null }
  | { readonly type: 'stopped'; readonly result: StopResult };

/** Milliseconds of the monotonic clock, which all processes of the machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
