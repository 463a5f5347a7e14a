// A request to the admin port as its page sees it, and whom the page can ask.
import type { IncomingMessage } from 'node:http';
import type { Inspection } from '../inspect/inspection.ts';
import type { Access } from './access/access.ts';
import type { Profiles } from './profiles.ts';

export interface Visit {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly access: Access;
  /** The port is bound to loopback, so reading needs no token. */
  readonly isOnLoopback: boolean;
  /** Asks the server processes. */
  readonly inspection: Inspection;
  /** Absent if HTTP_PROFILING is off. */
  readonly profiles?: Profiles | undefined;
}
