// The question for a page of connections, and its rows as the admin port gives them. The order of a page is by a key and then
// by id, the same in all processes, so that their pages can be merged. Only types and this order.
import type { ConnectionFacts, ConnectionStage } from '../../server/connection-facts.ts';
import type { PauseWord } from '../../server/read-pauses.ts';

export const CONNECTION_SORTS = ['age', 'rate', 'bytes', 'lines', 'errors', 'closed'] as const;
export type ConnectionSort = (typeof CONNECTION_SORTS)[number];

export const MAX_ROWS = 100;

/** The place of a row in the order. Smaller keys come first. */
export interface Place {
  readonly key: number;
  readonly id: string;
}

export interface ConnectionQuery {
  readonly state: 'open' | 'closed';
  readonly sort: ConnectionSort;
  readonly order: 'asc' | 'desc';
  /** At most MAX_ROWS. */
  readonly limit: number;
  /** Only rows behind this place. */
  readonly after: Place | null;
  /** In lower case, found anywhere in an id, device_id, address, zipcode or city. */
  readonly search?: string;
  readonly deviceId?: string;
  /** As canonicalAddress() gives it. */
  readonly address?: string;
  readonly zipcode?: string;
}

export interface ConnectionRow {
  readonly connection_id: string;
  readonly device_id: string | null;
  readonly address: string;
  readonly zipcode: string | null;
  readonly city: string | null;
  readonly stage: ConnectionStage;
  readonly tls: boolean;
  readonly since: string;
  /** Of a closed connection, how long it was open. */
  readonly age_ms: number;
  readonly bytes: number;
  readonly lines: number;
  readonly refused: number;
  readonly bytes_per_second: number;
  readonly lines_per_second: number;
  /** Why it is not read at present. */
  readonly paused: readonly PauseWord[];
  readonly last_code: NonNullable<ConnectionFacts['lastCode']> | null;
  readonly closed_at?: string;
  readonly reason?: NonNullable<ConnectionFacts['end']>['reason'];
}

/** The answer of one process. */
export type ConnectionPage =
  | {
      readonly rows: readonly (ConnectionRow & { readonly key: number })[];
      /** Rows follow that did not fit. */
      readonly hasMore: boolean;
      /** Connections that the query describes, and all in this state. */
      readonly matching: number;
      readonly total: number;
    }
  /** Too many wait already. */
  | 'busy';

/** Below zero if the first place comes before the second. */
export function comparePlaces(a: Place, b: Place): number {
  if (a.key !== b.key) return a.key - b.key;
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}
