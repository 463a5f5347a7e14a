// The view of operators on a gateway: the admin port, the statistics line and the log of its health, one for all processes.
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { isLoopback } from '../config/ip-address.ts';
import type { Settings } from '../config/settings.ts';
import { staticFiles } from '../dashboard/static-files.ts';
import type { FileWatch } from '../files/file-watch.ts';
import { watchSecret } from '../files/watched-secret.ts';
import { startHealthLog } from '../health/health-log.ts';
import type { Inspection } from '../inspect/inspection.ts';
import type { Log } from '../log/log.ts';
import type { Controls } from './controls.ts';
import { createHttpServer } from './http-server.ts';
import { Live, type LiveProcess } from './live/live.ts';
import { Ticker } from './live/ticker.ts';
import type { OtlpPush } from './otlp/push.ts';
import { Profiles } from './profiles.ts';
import type { Snapshot } from './snapshot.ts';
import { startStatsLog } from './stats-line.ts';

export interface AdminServer {
  /** Resolves with null if HTTP_PORT is empty. Rejects with ListenError. */
  start(): Promise<AddressInfo | null>;
  /** The statistics line, the log of the health, and the push of figures. */
  startStatistics(): void;
  /** The gateway stops: changes of its health from now on are intended. */
  endHealthLog(): void;
  close(): Promise<void>;
}

interface AdminParts {
  readonly snapshot: () => Snapshot | Promise<Snapshot>;
  /** Each server process beside the whole. Left out with one process. */
  readonly processes?: (() => readonly LiveProcess[]) | undefined;
  readonly controls: Controls;
  readonly inspection: Inspection;
  readonly files: FileWatch;
  readonly log: Log;
}

export function createAdminServer(
  settings: Settings,
  { snapshot, processes = () => [], controls, inspection, files, log }: AdminParts,
): AdminServer {
  const { HTTP_HOST: host, HTTP_PORT: port, STATS_INTERVAL: intervalMs } = settings;
  const { HTTP_ALLOWED_HOSTS: allowedHosts } = settings;
  const secret = watchSecret('HTTP_TOKEN', { settings, files });
  const token = () => secret.value;
  const ticker = new Ticker(withRefused);
  const server =
    port === null
      ? null
      : createHttpServer({
          host,
          port,
          allowedHosts,
          token,
          snapshot: withRefused,
          controls,
          inspection,
          profiles: settings.HTTP_PROFILING ? new Profiles(inspection) : undefined,
          live: new Live(ticker, processes),
          staticFiles,
          log,
        });
  async function withRefused(): Promise<Snapshot> {
    const taken = await snapshot();
    return server === null ? taken : { ...taken, admin: { refused: { ...server.refused } } };
  }
  let statistics: { stop(): void } | undefined;
  let healthLog: { stop(): void } | undefined;
  let push: Promise<OtlpPush | undefined> | undefined;
  return {
    async start() {
      ticker.start();
      if (server === null) return null;
      const address = await server.start();
      const { address: name, family, port: bound } = address;
      const isLimited = token() === null && !isLoopback(name);
      log.write(isLimited ? 'admin_listening_without_token' : 'admin_listening', {
        address: `${family === 'IPv6' ? `[${name}]` : name}:${bound}`,
      });
      return address;
    },
    startStatistics() {
      statistics = startStatsLog({ intervalMs, snapshot, log });
      const { KAFKA_BROKERS: brokers, SPOOL_DIR } = settings;
      healthLog = startHealthLog({ brokers, directory: resolve(SPOOL_DIR), ticker, log });
      push = startPush(settings, { snapshot: withRefused, files, log });
    },
    endHealthLog: () => healthLog?.stop(),
    async close() {
      ticker.stop();
      statistics?.stop();
      await (await push)?.stop();
      await server?.close();
    },
  };
}

/** Its packages are loaded only if they are needed. Never rejects. */
async function startPush(
  settings: Settings,
  { snapshot, files, log }: Pick<AdminParts, 'files' | 'log'> & { snapshot: () => Promise<Snapshot> },
): Promise<OtlpPush | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: whole } = settings;
  const url = whole ?? (base && `${base.replace(/\/+$/, '')}/v1/metrics`);
  if (url === null) return undefined;
  try {
    const { startOtlpPush } = await import('./otlp/push.ts');
    log.write('otlp_push_started', { url });
    const secret = watchSecret('OTEL_EXPORTER_OTLP_HEADERS', { settings, files });
    return startOtlpPush(settings, { url, snapshot, headers: () => secret.value, log });
  } catch (error) {
    log.write('otlp_packages_missing', { err: error });
    return undefined;
  }
}
