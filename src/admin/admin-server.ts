// The view of operators on a gateway: the admin port and the statistics line, one for all processes. It changes nothing.
import type { AddressInfo } from 'node:net';
import type { Settings } from '../config/settings.ts';
import type { Logger } from '../log/logger.ts';
import { createHttpServer } from './http-server.ts';
import type { Snapshot } from './snapshot.ts';
import { startStatsLog } from './stats-line.ts';

export interface AdminServer {
  /** Resolves with null if HTTP_PORT is empty. Rejects with AdminListenError. */
  start(): Promise<AddressInfo | null>;
  startStatistics(): void;
  close(): Promise<void>;
}

export function createAdminServer(
  settings: Settings,
  { snapshot, log }: { snapshot: () => Snapshot | Promise<Snapshot>; log: Logger },
): AdminServer {
  const { HTTP_HOST: host, HTTP_PORT: port, STATS_INTERVAL: intervalMs } = settings;
  const server = port === null ? null : createHttpServer({ host, port, snapshot, log });
  let statistics: { stop(): void } | undefined;
  return {
    async start() {
      if (server === null) return null;
      const address = await server.start();
      const { address: name, family, port: bound } = address;
      log.info(`Admin HTTP listening on ${family === 'IPv6' ? `[${name}]` : name}:${bound}`);
      return address;
    },
    startStatistics() {
      statistics = startStatsLog({ intervalMs, snapshot, log });
    },
    async close() {
      statistics?.stop();
      await server?.close();
    },
  };
}
