// The first of several processes: it owns the TCP port, the caps and the admin server, and hands each connection to the
// server process with the fewest connections. It never reads a byte of a device.
import type { Socket } from 'node:net';
import { createAdminServer } from '../admin/admin-server.ts';
import { startProcessStats } from '../admin/process-stats.ts';
import { NotStartedError, type Snapshot } from '../admin/snapshot.ts';
import type { App } from '../app.ts';
import type { Settings } from '../config/settings.ts';
import type { StopResult } from '../gateway/gateway.ts';
import { withAcceptor } from '../gateway/gateway-snapshot.ts';
import type { Logger } from '../log/logger.ts';
import { Acceptor, acceptorOptions, addressText } from '../server/acceptor.ts';
import { orphanedPartsFor } from '../spool/parts.ts';
import { ConnectionTable } from './connection-table.ts';
import { ProcessHandle } from './process-handle.ts';
import { shareOf } from './share.ts';
import { retired, sumOf } from './sum.ts';

/** The figures of a process that crashes are at most so old. */
const POLL_MS = 250;
/** Time past SHUTDOWN_TIMEOUT before a process that did not end by itself is killed. */
const FORCE_AFTER_MS = 1000;

export function createPrimary(
  settings: Settings,
  { processes, log, version }: { processes: number; log: Logger; version: string },
): App {
  const table = new ConnectionTable();
  const ended: Snapshot[] = [];
  const processStats = startProcessStats();
  let restarts = 0;
  let unseen = 0;
  let stopping = false;
  const acceptor = new Acceptor(acceptorOptions(settings, { processes, log }), log);
  const release = (address: string | undefined) => {
    if (address !== undefined) acceptor.released(address);
  };
  const handles = Array.from({ length: processes }, (_, index) => {
    const orphanedParts = () => orphanedPartsFor(index, { root: settings.SPOOL_DIR, processes });
    const handle: ProcessHandle = new ProcessHandle(
      { index, settings: shareOf(settings, { index, processes }), orphanedParts },
      {
        log,
        events: {
          identified: (number, device) => {
            const earlier = table.identified(number, device);
            if (earlier) handles[earlier.process]?.tell({ type: 'replaced', number: earlier.number });
          },
          closed: (number) => release(table.remove(number)),
          crashed: (last, served) => {
            restarts++;
            if (last !== undefined) remember(last);
            else if (served) unseen++;
            table.removeAll(index).forEach(release);
          },
        },
      },
    );
    return handle;
  });

  // The sum of all crashed processes, so that the list does not grow.
  function remember(last: Snapshot): void {
    const [before] = ended;
    ended[0] = before === undefined ? retired(last) : sumOf([before, retired(last)]);
  }

  function hand(socket: Socket, address: string): boolean {
    const candidates = handles.filter(({ ready }) => ready).map(({ index }) => index);
    const process = table.leastLoaded(candidates);
    if (process === undefined) return false;
    const number = table.add(process, address);
    if (handles[process]?.take(number, socket)) return true;
    table.remove(number);
    return false;
  }

  async function snapshot(): Promise<Snapshot> {
    const running = await Promise.all(handles.map((handle) => handle.snapshot()));
    const [first, ...others] = [...running.flatMap((one) => one ?? []), ...ended];
    if (first === undefined) throw new NotStartedError();
    return withOwn(withAcceptor(sumOf([first, ...others]), acceptor));
  }

  function withOwn(sum: Snapshot): Snapshot {
    const own = processStats.read();
    const running = handles.filter(({ ready }) => ready).length;
    const reasons = [...sum.readiness.reasons];
    if (running < processes)
      reasons.push(`${processes - running} of ${processes} server processes are not running`);
    for (const { index } of handles.filter(({ ready, answers }) => ready && !answers))
      reasons.push(`server process ${index} does not answer, its figures are old`);
    if (stopping && reasons.length === 0) reasons.push('the gateway is stopping');
    return {
      ...sum,
      version,
      at: new Date().toISOString(),
      uptimeSeconds: process.uptime(),
      readiness: { ready: reasons.length === 0, reasons },
      connections: { ...sum.connections, uniqueZipcodes: table.uniqueZipcodes },
      process: {
        residentBytes: sum.process.residentBytes + own.residentBytes,
        heapUsedBytes: sum.process.heapUsedBytes + own.heapUsedBytes,
        cpuSeconds: sum.process.cpuSeconds + own.cpuSeconds,
        eventLoopLagP99Seconds: Math.max(sum.process.eventLoopLagP99Seconds, own.eventLoopLagP99Seconds),
      },
      processes: { configured: processes, running, restarts, unseen },
    };
  }

  const admin = createAdminServer(settings, { snapshot, log });
  let poll: NodeJS.Timeout | undefined;

  return {
    async start() {
      log.info(`Starting ${processes} server processes`);
      // A second signal ends this process at once, and the others with it.
      process.once('exit', () => {
        if (stopping) for (const handle of handles) handle.kill();
      });
      const http = await admin.start();
      try {
        await Promise.all(handles.map((handle) => handle.start()));
      } catch (error) {
        // During a stop, each process ends in order by itself.
        if (!stopping) for (const handle of handles) handle.kill();
        throw error;
      }
      const tcp = await acceptor.listen(hand);
      log.info({ pids: handles.map(({ pid }) => pid) }, `TCP server listening on ${addressText(tcp)}`);
      admin.startStatistics();
      poll = setInterval(() => {
        for (const handle of handles) void handle.snapshot();
      }, POLL_MS);
      return { tcp, http };
    },

    async stop() {
      stopping = true;
      clearInterval(poll);
      acceptor.stop();
      const timeoutMs = settings.SHUTDOWN_TIMEOUT + FORCE_AFTER_MS;
      const results = await Promise.all(handles.map((handle) => handle.stop(timeoutMs)));
      acceptor.close();
      processStats.stop();
      await admin.close();
      return sumOfStops(results);
    },
  };
}

/** If one process gave no number, the sum is unknown: any number would be too low. */
function sumOfStops(results: readonly StopResult[]): StopResult {
  let sum = 0;
  for (const { unconfirmed } of results) {
    if (unconfirmed === 'unknown') return { complete: false, unconfirmed };
    sum += unconfirmed;
  }
  return { complete: results.every(({ complete }) => complete), unconfirmed: sum };
}
