// A server for comparison: the gateway's port, connections, queue and workers, but kafkajs `send()` instead of its own
// batches, as a Node program would use it. For the bench only.
import { createTopic } from '../../scripts/kafka/client.ts';
import { createAdminServer } from '../../src/admin/admin-server.ts';
import { startProcessStats } from '../../src/admin/process-stats.ts';
import type { App } from '../../src/app.ts';
import { exitOnBugs, serve } from '../../src/cli/serve.ts';
import { environment, loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/settings.ts';
import { createLogger, type Logger } from '../../src/log/logger.ts';
import { Acceptor, acceptorOptions, addressText } from '../../src/server/acceptor.ts';
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
await serve(() => createBaseline(settings, log), log);

function createBaseline(settings: Settings, log: Logger): App {
  const sink = new KafkajsSink(settings);
  const { maxSockets } = connectionLimits(settings.TCP_MAX_CONNECTIONS, { processes: 1, log });
  const ingest = createIngest(settings, sink, { log, dropped: () => {} });
  const server = new TcpServer(
    {
      maxLineBytes: settings.TCP_MAX_LINE_BYTES,
      identifyTimeoutMs: settings.TCP_IDENTIFY_TIMEOUT,
      inactivityTimeoutMs: settings.TCP_INACTIVITY_TIMEOUT,
      lineTimeoutMs: settings.TCP_LINE_TIMEOUT,
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
    take: (socket) => void server.adopt(socket),
    gone: () => {},
  });
  const stats = startProcessStats();
  const admin = createAdminServer(settings, {
    snapshot: () => baselineSnapshot({ server, sink, queue: ingest.sink, process: stats }),
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
      const tcp = await acceptor.listen({ host: settings.TCP_HOST, port: settings.TCP_PORT });
      log.info(`TCP server listening on ${addressText(tcp)}`);
      return { tcp, http };
    },

    async stop() {
      acceptor.stop();
      server.stopReading();
      await ingest.finish();
      await sink.close();
      await server.close(settings.SHUTDOWN_TIMEOUT);
      acceptor.close();
      stats.stop();
      await admin.close();
      return { complete: sink.unconfirmed === 0, unconfirmed: sink.unconfirmed };
    },
  };
}
