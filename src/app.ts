// Sluice as one process: the device port, the ledger of its connections, the admin server, and the order of start and
// stop. The same parts for several processes are in processes/.
import type { AddressInfo } from 'node:net';
import { createAdminServer } from './admin/admin-server.ts';
import type { Snapshot } from './admin/snapshot.ts';
import type { Settings } from './config/settings.ts';
import { DevicePort } from './gateway/device-port.ts';
import type { StopResult } from './gateway/gateway.ts';
import type { Logger } from './log/logger.ts';
import { addressText } from './server/acceptor.ts';
import { admissionOptions } from './server/admission.ts';
import { ConnectionLedger } from './server/connection-ledger.ts';
import { connectionLimits } from './server/limits.ts';
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

/** The number of the only process in the ledger. */
const ONLY = 0;

/**
 * @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names
 * @throws OpenFilesError if `ulimit -n` is far too low
 */
export function createApp(
  settings: Settings,
  { log, version }: { log: Logger; version: string },
): SingleProcessApp {
  const { maxConnections, maxSockets } = connectionLimits(settings.TCP_MAX_CONNECTIONS, {
    processes: 1,
    log,
  });
  const ledger = new ConnectionLedger(admissionOptions(settings, maxConnections), {
    order: (_process, order) => port.handle(order),
    log,
  });
  const port = new DevicePort(settings, {
    log,
    version,
    maxSockets,
    report: (event) => ledger.handle(ONLY, event),
    orphanedParts: orphanedPartsFor(ONLY, { root: settings.SPOOL_DIR, processes: 1 }),
  });
  const snapshot = (): Snapshot => {
    const { connections, ...others } = port.snapshot();
    const { uniqueZipcodes } = ledger;
    return { ...others, connections: { ...connections, maximum: maxConnections, uniqueZipcodes } };
  };
  const admin = createAdminServer(settings, { snapshot, log });

  return {
    snapshot,

    async start() {
      const http = await admin.start();
      await port.start();
      const tcp = await port.listen({ host: settings.TCP_HOST, port: settings.TCP_PORT });
      log.info(`TCP server listening on ${addressText(tcp)}`);
      admin.startStatistics();
      return { tcp, http };
    },

    async stop() {
      const result = await port.stop();
      await admin.close();
      return result;
    },
  };
}
