// Sluice as one process: the TCP port, the gateway behind it, the admin server, and the order of start and stop.
// The same parts for several processes are in processes/.
import type { AddressInfo } from 'node:net';
import { createAdminServer } from './admin/admin-server.ts';
import type { Snapshot } from './admin/snapshot.ts';
import type { Settings } from './config/settings.ts';
import { createGateway, type StopResult } from './gateway/gateway.ts';
import { withAcceptor } from './gateway/gateway-snapshot.ts';
import type { Logger } from './log/logger.ts';
import { Acceptor, acceptorOptions, addressText } from './server/acceptor.ts';
import { orphanedPartsFor } from './spool/parts.ts';

export type { StopResult };

export interface App {
  /** Resolves when devices can connect. Rejects if a port cannot be opened or the spool cannot be used. */
  start(): Promise<Addresses>;
  /** Finishes what was accepted, within SHUTDOWN_TIMEOUT, and closes every handle. */
  stop(): Promise<StopResult>;
}

export interface Addresses {
  readonly tcp: AddressInfo;
  /** Null if HTTP_PORT is empty. */
  readonly http: AddressInfo | null;
}

export interface SingleProcessApp extends App {
  snapshot(): Snapshot;
}

/** @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names */
export function createApp(
  settings: Settings,
  { log, version }: { log: Logger; version: string },
): SingleProcessApp {
  const acceptor = new Acceptor(acceptorOptions(settings, { processes: 1, log }), log);
  const gateway = createGateway(settings, {
    log,
    version,
    events: { closed: ({ remoteAddress }) => acceptor.released(remoteAddress) },
    orphanedParts: orphanedPartsFor(0, { root: settings.SPOOL_DIR, processes: 1 }),
  });
  const snapshot = () => withAcceptor(gateway.snapshot(), acceptor);
  const admin = createAdminServer(settings, { snapshot, log });

  return {
    snapshot,

    async start() {
      const http = await admin.start();
      await gateway.start();
      const tcp = await acceptor.listen((socket) => {
        gateway.adopt(socket);
        return true;
      });
      log.info(`TCP server listening on ${addressText(tcp)}`);
      admin.startStatistics();
      return { tcp, http };
    },

    async stop() {
      acceptor.stop();
      const result = await gateway.stop();
      acceptor.close();
      await admin.close();
      return result;
    },
  };
}
