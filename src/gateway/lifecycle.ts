// The life of a gateway from its start to the end of its stop: its phase, the drain, and the view of operators. It is the
// same for one process and for several. The ports and connections of devices are those of its parts.
import type { AddressInfo } from 'node:net';
import { createAdminServer } from '../admin/admin-server.ts';
import type { LiveProcess } from '../admin/live/live.ts';
import type { Figures, Snapshot } from '../admin/snapshot.ts';
import { checkAtStart } from '../check/at-start.ts';
import type { LogLevel, Settings } from '../config/settings.ts';
import type { FileWatch } from '../files/file-watch.ts';
import type { Phase } from '../health/found.ts';
import { Health } from '../health/health.ts';
import type { Inspection } from '../inspect/inspection.ts';
import type { LogLevelOwner } from '../log/level.ts';
import type { Log } from '../log/log.ts';
import type { PortAddresses } from '../server/acceptor.ts';
import { type DeparturePlan, returnWindowMs } from '../server/departures.ts';
import { checkSpoolPlace } from '../start/spool-place.ts';
import type { DeviceTlsFiles } from './device-tls-files.ts';
import { Drain, type StopHow } from './drain.ts';
import { warnOfExpiry } from './expiry-warnings.ts';
import type { StopResult } from './stop-result.ts';

export interface App extends LogLevelOwner {
  /** Resolves when devices can connect. Rejects if a port cannot be opened or the spool cannot be used. */
  start(): Promise<Addresses>;
  /** Reads certificates, tokens and passwords again at once, in all processes. */
  reloadFiles(): void;
  /** Finishes the accepted lines within SHUTDOWN_TIMEOUT, and closes every handle. */
  stop(how?: StopHow): Promise<StopResult>;
}

export interface Addresses extends PortAddresses {
  /** Null if HTTP_PORT is empty. */
  readonly http: AddressInfo | null;
}

export interface AppOptions {
  readonly log: Log;
  readonly version: string;
  /** An operator asks for a drain. Absent: the app drains and stops. */
  readonly askDrain?: (() => void) | undefined;
}

export interface LifecycleParts extends Omit<AppOptions, 'version'> {
  /** How many processes serve devices. */
  readonly serverProcesses: number;
  readonly files: FileWatch;
  readonly tlsFiles: DeviceTlsFiles | undefined;
  /** Of all processes. */
  readonly figures: () => Figures | Promise<Figures>;
  /** Each server process beside the whole. Left out with one process. */
  readonly processes?: () => readonly LiveProcess[];
  readonly inspection: Inspection;
  /** Connections of all processes. */
  readonly devices: () => number;
  /** Resolves when devices can connect. @param signal the stop has begun */
  readonly open: (signal: AbortSignal) => Promise<PortAddresses>;
  /** Closes the ports, and begins to tell the devices to go. */
  readonly depart: (plan: DeparturePlan) => void;
  /** @param returnMs time over which the devices come back */
  readonly close: (returnMs: number) => Promise<StopResult>;
  /** The other processes, if there are any. */
  readonly others?: {
    reloadFiles(): void;
    setLogLevel(level: LogLevel): void;
  };
}

export interface Lifecycle extends App {
  /** Adds health and readiness to figures of all processes. */
  readonly health: Health;
}

export function createLifecycle(settings: Settings, parts: LifecycleParts): Lifecycle {
  const { files, tlsFiles, devices, others, log } = parts;
  let phase: Phase = 'starting';
  let stopped: Promise<StopResult> | undefined;
  const stopping = new AbortController();
  const health = new Health(settings, () => phase);
  const drain = new Drain(settings, { devices, depart: parts.depart, log });
  const logLevel = () => log.level;
  const setLogLevel = (level: LogLevel) => {
    log.setLevel(level);
    others?.setLogLevel(level);
  };
  const admin = createAdminServer(settings, {
    snapshot: async (): Promise<Snapshot> => health.addTo(await parts.figures()),
    controls: {
      drain: parts.askDrain ?? (() => void stop({ drains: true, reason: 'POST /drain' })),
      isDraining: () => phase === 'draining',
      logLevel,
      setLogLevel,
    },
    processes: parts.processes,
    inspection: parts.inspection,
    files,
    log,
  });
  let endWarnings: (() => void) | undefined;

  function stop(how: StopHow = {}): Promise<StopResult> {
    if (!how.drains || phase === 'starting') drain.cut();
    if (phase === 'serving') phase = 'draining';
    stopped ??= drainAndStop(how);
    return stopped;
  }

  async function drainAndStop(how: StopHow): Promise<StopResult> {
    await drain.run(how);
    phase = 'stopping';
    stopping.abort();
    admin.endHealthLog();
    const result = await parts.close(returnWindowMs(devices()));
    files.stop();
    endWarnings?.();
    await admin.close();
    return result;
  }

  return {
    health,
    logLevel,
    setLogLevel,

    async start() {
      const { signal } = stopping;
      checkAtStart(settings, { processes: parts.serverProcesses, log });
      await checkSpoolPlace(settings, { log, signal });
      const http = await admin.start();
      const addresses = await parts.open(signal);
      if (phase === 'starting') phase = 'serving';
      endWarnings = warnOfExpiry(settings, { files: tlsFiles, log });
      admin.startStatistics();
      return { ...addresses, http };
    },

    reloadFiles() {
      void files.reload();
      others?.reloadFiles();
    },

    stop,
  };
}
