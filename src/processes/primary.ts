// The first of several processes: it opens the TCP ports for the server processes, keeps the ledger of their connections
// and owns the admin server. It accepts no device.
import type { Snapshot } from '../admin/snapshot.ts';
import type { LogLevel, Settings } from '../config/settings.ts';
import { FileWatch } from '../files/file-watch.ts';
import { DeviceTlsFiles } from '../gateway/device-tls-files.ts';
import { type App, type AppOptions, createLifecycle } from '../gateway/lifecycle.ts';
import { withPresence } from '../gateway/presence-figures.ts';
import { tokensInUse } from '../gateway/token-access.ts';
import { Inspection } from '../inspect/inspection.ts';
import type { Log } from '../log/log.ts';
import { sayLeftOver } from '../presence/left-over.ts';
import type { Presence } from '../presence/presence.ts';
import { loadResumes, saveResumes } from '../resume/over-restarts.ts';
import { logListening } from '../server/acceptor.ts';
import { admissionOptions } from '../server/admission.ts';
import { ConnectionLedger } from '../server/connection-ledger.ts';
import { DescriptorReserve } from '../server/descriptor-reserve.ts';
import { connectionLimits } from '../server/limits.ts';
import { newTicketSecret } from '../server/ticket-keys.ts';
import { LOCK_MARGIN_MS } from '../start/spool-place.ts';
import { GroupFigures } from './group-figures.ts';
import { GroupPorts } from './group-ports.ts';
import { ProcessGroup } from './process-group.ts';

export interface PrimaryOptions extends AppOptions {
  readonly processes: number;
}

export interface PrimaryApp extends App {
  /** Of all processes together. */
  snapshot(): Promise<Snapshot>;
}

/** Rejects with OpenFilesError if `ulimit -n` is far too low, or with TokensUnusableError. */
export async function createPrimary(
  settings: Settings,
  { processes, log, version, askDrain }: PrimaryOptions,
): Promise<PrimaryApp> {
  const { maxConnections, maxSockets } = connectionLimits(settings.TCP_MAX_CONNECTIONS, { processes, log });
  const files = new FileWatch({ log });
  const presence = await presenceOf(settings, { log, files });
  const ledger = new ConnectionLedger(admissionOptions(settings, maxConnections), {
    order: (process, order) => group.order(process, order),
    log,
    presence: presence && ((state, hasDeviceId) => presence.note(state, hasDeviceId)),
  });
  const tlsFiles = DeviceTlsFiles.open(settings, { files });
  const ticketSecret = newTicketSecret();
  const figures = new GroupFigures(version, ledger);
  const ports = new GroupPorts(settings);
  const group = new ProcessGroup(settings, {
    processes,
    maxSockets,
    listeners: () => ports.stdio,
    logLevel: (): LogLevel => log.level,
    tls: () => (tlsFiles === undefined ? null : { ticketSecret, contents: tlsFiles.contents }),
    tokens: tokensInUse(settings, files),
    log,
    events: {
      connection: (process, event) => ledger.handle(process, event),
      crashed: (process, last, served) => {
        figures.crashed(last, served);
        ledger.removeAll(process);
      },
    },
  });
  const readFigures = async () => withPresence(await figures.read(group), presence);
  const descriptors = new DescriptorReserve(log);
  const { health, ...app } = createLifecycle(settings, {
    serverProcesses: processes,
    log,
    askDrain,
    files,
    tlsFiles,
    figures: readFigures,
    processes: () => group.latest,
    inspection: new Inspection(group.respondents),
    devices: () => ledger.admission.active,
    async open(signal) {
      const addresses = await ports.open(signal);
      log.write('server_processes_starting', { processes: group.configured });
      await group.start();
      // Its process has the lock of the directory.
      await loadResumes(ledger.resumes, settings.SPOOL_DIR, log);
      // Its process has made the directory, and has waited for a former gateway.
      await presence?.start(settings.SHUTDOWN_TIMEOUT + LOCK_MARGIN_MS);
      if (presence === undefined) await sayLeftOver(settings.SPOOL_DIR, log);
      // Rejects if another program has bound a port at the same time: the one that listens first has it.
      await group.listen();
      const pids = group.pids.filter((pid) => pid !== undefined);
      logListening(log, addresses, pids);
      return addresses;
    },
    depart(plan) {
      ports.close();
      group.depart(plan);
    },
    async close(returnMs) {
      const endMs = performance.now() + settings.SHUTDOWN_TIMEOUT;
      ports.close();
      const result = figures.withCrashed(await group.stop(returnMs));
      await saveResumes(ledger.resumes, settings.SPOOL_DIR, log);
      // Of processes that did not end in order.
      for (let process = 0; process < processes; process++) ledger.removeAll(process);
      await presence?.stop(endMs - performance.now());
      figures.stop();
      descriptors.close();
      return result;
    },
    others: group,
  });
  return { ...app, snapshot: async () => health.addTo(await readFigures()) };
}

/** Its modules bring the Kafka client, which this process does not need without it. */
async function presenceOf(
  settings: Settings,
  host: { log: Log; files: FileWatch },
): Promise<Presence | undefined> {
  if (settings.KAFKA_TOPIC_PRESENCE === null) return undefined;
  return (await import('../presence/presence.ts')).Presence.of(settings, host);
}
