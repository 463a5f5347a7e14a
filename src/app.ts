// The whole of Sluice on one screen, as one process: the port, the gateway behind it, what operators see, and the
// order of start and stop. With several processes the same parts stand in processes/.
import type { AddressInfo } from 'node:net';
import { type AdminServer, createAdminServer } from './admin/admin-server.ts';
import type { Snapshot } from './admin/snapshot.ts';
import type { Settings } from './config/settings.ts';
import { createGateway, type StopResult } from './gateway/gateway.ts';
import { withAcceptor } from './gateway/gateway-snapshot.ts';
import type { Logger } from './log/logger.ts';
import { Acceptor, acceptorOptions, addressText } from './server/acceptor.ts';
import { orphanedPartsFor } from './spool/parts.ts';

export type { StopResult };

export interface App {
  /** Resolves once devices are served; rejects with the system's or the setting's error. */
  start(): Promise<Addresses>;
  /** Finishes what was accepted, within SHUTDOWN_TIMEOUT, and leaves no handle open. */
  stop(): Promise<StopResult>;
}

export interface Addresses {
  readonly tcp: AddressInfo;
  /** Null where HTTP_PORT is empty. */
  readonly http: AddressInfo | null;
}

export interface SingleProcessApp extends App {
  snapshot(): Snapshot;
}

/** @throws CodecUnavailableError where KAFKA_COMPRESSION cannot be had here */
export function createApp(
  settings: Settings,
  { log, version }: { log: Logger; version: string },
): SingleProcessApp {
  const gateway = createGateway(settings, {
    log,
    version,
    events: { closed: ({ remoteAddress }) => acceptor.released(remoteAddress) },
    orphanedParts: orphanedPartsFor(0, { root: settings.SPOOL_DIR, processes: 1 }),
  });
  const acceptor = new Acceptor(acceptorOptions(settings, { processes: 1, log }), {
    take: (socket) => gateway.adopt(socket) !== undefined,
    log,
  });
  const snapshot = () => withAcceptor(gateway.snapshot(), acceptor);
  const admin: AdminServer = createAdminServer(settings, { snapshot, log });

  return {
    snapshot,

    async start() {
      const http = await admin.start();
      await gateway.start();
      const tcp = await acceptor.listen();
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
