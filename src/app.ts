// Sluice as one process: the device port and the ledger of its connections. The same parts for several processes are in
// processes/, the life of both in gateway/lifecycle.ts.
import { byProcess } from './admin/per-process.ts';
import type { Figures, Snapshot } from './admin/snapshot.ts';
import type { Settings } from './config/settings.ts';
import { deadLetterBytes } from './config/shares.ts';
import { FileWatch } from './files/file-watch.ts';
import { DevicePort } from './gateway/device-port.ts';
import { DeviceTlsFiles } from './gateway/device-tls-files.ts';
import { type App, type AppOptions, createLifecycle } from './gateway/lifecycle.ts';
import { withPresence } from './gateway/presence-figures.ts';
import { Answering } from './inspect/answering.ts';
import { Inspection, ownRespondent } from './inspect/inspection.ts';
import { sayLeftOver } from './presence/left-over.ts';
import { Presence } from './presence/presence.ts';
import { loadResumes, saveResumes } from './resume/over-restarts.ts';
import { logListening } from './server/acceptor.ts';
import { admissionOptions } from './server/admission.ts';
import { ConnectionLedger } from './server/connection-ledger.ts';
import { connectionLimits } from './server/limits.ts';
import { newTicketSecret } from './server/ticket-keys.ts';
import { orphanedPartsFor } from './spool/parts.ts';
import { LOCK_MARGIN_MS } from './start/spool-place.ts';

export interface SingleProcessApp extends App {
  snapshot(): Snapshot;
}

/** The number of the only process in the ledger. */
const ONLY = 0;

/**
 * @throws CodecUnavailableError if this machine lacks the codec that KAFKA_COMPRESSION names
 * @throws OpenFilesError if `ulimit -n` is far too low
 */
export function createApp(settings: Settings, { log, version, askDrain }: AppOptions): SingleProcessApp {
  const { maxConnections, maxSockets } = connectionLimits(settings.TCP_MAX_CONNECTIONS, {
    processes: 1,
    log,
  });
  const files = new FileWatch({ log });
  const presence = Presence.of(settings, { log, files });
  const ledger = new ConnectionLedger(admissionOptions(settings, maxConnections), {
    order: (_process, order) => port.handle(order),
    log,
    presence: presence && ((state, hasDeviceId) => presence.note(state, hasDeviceId)),
  });
  const tlsFiles = DeviceTlsFiles.open(settings, { files });
  const ofReadings = { ...settings, SPOOL_DEAD_BYTES: deadLetterBytes(settings) };
  const port = new DevicePort(ofReadings, {
    log,
    version,
    files,
    tls: tlsFiles && { files: tlsFiles, ticketSecret: newTicketSecret() },
    maxSockets,
    report: (event) => ledger.handle(ONLY, event),
    orphanedParts: orphanedPartsFor(ONLY, { root: settings.SPOOL_DIR, processes: 1 }),
  });
  const figures = (): Figures => {
    const own = withPresence(port.figures(), presence);
    const { uniqueZipcodes } = ledger;
    return {
      ...own,
      connections: { ...own.connections, maximum: maxConnections, uniqueZipcodes },
      resume: ledger.resumes.figures,
      byProcess: byProcess([{ name: `${ONLY}`, answers: true, snapshot: own }]),
    };
  };
  const { health, ...app } = createLifecycle(settings, {
    serverProcesses: 1,
    log,
    askDrain,
    files,
    tlsFiles,
    figures,
    inspection: new Inspection([ownRespondent(ONLY, new Answering(port.answers, log))]),
    devices: () => ledger.admission.active,
    async open() {
      await port.start();
      await loadResumes(ledger.resumes, settings.SPOOL_DIR, log);
      await presence?.start(settings.SHUTDOWN_TIMEOUT + LOCK_MARGIN_MS);
      if (presence === undefined) await sayLeftOver(settings.SPOOL_DIR, log);
      const addresses = await port.listen({ inherited: false });
      logListening(log, addresses);
      return addresses;
    },
    depart: (plan) => port.depart(plan),
    async close(returnMs) {
      const endMs = performance.now() + settings.SHUTDOWN_TIMEOUT;
      const result = await port.stop({ returnMs });
      await saveResumes(ledger.resumes, settings.SPOOL_DIR, log);
      await presence?.stop(endMs - performance.now());
      return result;
    },
  });
  return { ...app, snapshot: () => health.addTo(figures()) };
}
