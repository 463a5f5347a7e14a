// A server for comparison: the gateway's port, connections, queue and workers, but kafkajs `send()` instead of its own
// batches, as a Node program would use it. For the bench only.
import { createTopic } from '../../scripts/kafka/client.ts';
import { createAdminServer } from '../../src/admin/admin-server.ts';
import { startProcessStats } from '../../src/admin/process-stats.ts';
import { exitOnBugs, serve } from '../../src/cli/serve.ts';
import { environment } from '../../src/config/environment.ts';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/settings.ts';
import { FileWatch } from '../../src/files/file-watch.ts';
import type { App } from '../../src/gateway/lifecycle.ts';
import { nothingToStop } from '../../src/gateway/stop-result.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import type { Log } from '../../src/log/log.ts';
import { createLogger } from '../../src/log/logger.ts';
import { Acceptor, acceptorOptions, logListening } from '../../src/server/acceptor.ts';
import { connectionLimits } from '../../src/server/limits.ts';
import { TcpServer } from '../../src/server/tcp-server.ts';
import { createIngest } from '../../src/workers/ingest.ts';
import { baselineSnapshot } from './baseline-snapshot.ts';
import { KafkajsSink } from './kafkajs-sink.ts';

const loaded = loadSettings({ env: environment() });
if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
const { settings } = loaded;
const log = createLogger(settings);
exitOnBugs(log);
await serve({ create: async () => createBaseline(settings, log), reload() {}, parent: undefined, log });

function createBaseline(settings: Settings, log: Log): App {
  const sink = new KafkajsSink(settings);
  const { maxSockets } = connectionLimits(settings.TCP_MAX_CONNECTIONS, { processes: 1, log });
  const ingest = createIngest(settings, sink, { log, dropped: () => {} });
  const server = new TcpServer(
    {
      maxLineBytes: settings.TCP_MAX_LINE_BYTES,
      identifyTimeoutMs: settings.TCP_IDENTIFY_TIMEOUT,
      inactivityTimeoutMs: settings.TCP_INACTIVITY_TIMEOUT,
      lineTimeoutMs: settings.TCP_LINE_TIMEOUT,
      maxAgeMs: 0,
      warnsUnknownFields: false,
      maxMessagesPerSecond: 0,
      maxBytesPerSecond: 0,
      bufferBytes: settings.TCP_BUFFER_BYTES,
    },
    {
      sink: ingest.sink,
      log,
      events: { closed: () => acceptor.released() },
    },
  );
  const acceptor: Acceptor = new Acceptor(acceptorOptions(settings, maxSockets), {
    log,
    ask: (number) => acceptor.admit(number, 0),
    take: (arrival) => void server.adopt(arrival),
    gone: () => {},
  });
  const stats = startProcessStats();
  const logLevel = () => settings.LOG_LEVEL;
  const setLogLevel = () => {};
  const admin = createAdminServer(settings, {
    snapshot: () => baselineSnapshot({ server, sink, queue: ingest.sink, process: stats }),
    controls: { drain() {}, isDraining: () => false, logLevel, setLogLevel },
    inspection: new Inspection([]),
    files: new FileWatch({ log }),
    log,
  });

  return {
    async start() {
      const partitions = settings.KAFKA_NUM_PARTITIONS;
      await createTopic(settings.KAFKA_BROKERS.join(','), settings.KAFKA_TOPIC_METRICS, { partitions });
      await sink.connect();
      const http = await admin.start();
      ingest.start();
      server.start();
      const tcp = await acceptor.listen({ host: settings.TCP_HOST, port: settings.TCP_PORT ?? 0 });
      logListening(log, { tcp, tls: null, lines: null });
      return { tcp, tls: null, lines: null, http };
    },

    reloadFiles() {},
    logLevel,
    setLogLevel,

    async stop() {
      acceptor.stop();
      server.stopReading();
      await ingest.finish();
      await sink.close();
      await server.close(settings.SHUTDOWN_TIMEOUT);
      acceptor.close();
      stats.stop();
      await admin.close();
      const { unconfirmed } = sink;
      return { ...nothingToStop(), complete: unconfirmed === 0, unconfirmed };
    },
  };
}
