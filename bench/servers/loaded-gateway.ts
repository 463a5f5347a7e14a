// A gateway of our own to load: the built server as a child process, with a topic that goes with it.
import { randomBytes } from 'node:crypto';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { ServerProcess } from './server-process.ts';

export interface OwnGatewayOptions {
  readonly bootstrap: string;
  /** What its topics begin with. */
  readonly name: string;
  /** Over the server's defaults. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface OwnGateway {
  readonly server: ServerProcess;
  readonly topic: string;
  /** Rejects where the server did not end in order. */
  stop(): Promise<void>;
}

/** Rejects with the end of its log. */
export async function startOwnGateway(options: OwnGatewayOptions): Promise<OwnGateway> {
  const { bootstrap, name, settings } = options;
  const topic = `sluice.${name}.${randomBytes(6).toString('hex')}`;
  const alarms = `${topic}.alarms`;
  const deleteTopics = () => deleteThose(bootstrap, [topic, alarms]);
  let server: ServerProcess;
  try {
    server = await ServerProcess.start({
      settings: {
        ...settings,
        KAFKA_BROKERS: bootstrap,
        KAFKA_TOPIC_METRICS: topic,
        KAFKA_TOPIC_ALARMS: alarms,
        KAFKA_TOPIC_DEAD_LETTERS: '',
      },
      // Killed while it makes its topics, it would leave them behind: it is stopped once it runs.
      signal: new AbortController().signal,
    });
  } catch (error) {
    // It may have come so far as to make them.
    await deleteTopics().catch(() => {});
    throw error;
  }
  const stop = async () => {
    try {
      await server.stop();
    } finally {
      await deleteTopics();
    }
  };
  return { server, topic, stop };
}

/** Runs `work` with a gateway and removes it. What it rejects with gets the end of the log. */
export async function withOwnGateway<T>(
  options: OwnGatewayOptions,
  work: (gateway: OwnGateway) => Promise<T>,
): Promise<T> {
  const gateway = await startOwnGateway(options);
  let result: T;
  try {
    result = await work(gateway);
  } catch (error) {
    await gateway.stop().catch(() => {});
    throw gateway.server.explained(error);
  }
  await gateway.stop();
  return result;
}

function deleteThose(bootstrap: string, names: readonly string[]): Promise<void> {
  return withAdmin(
    bootstrap,
    async (admin) => {
      const there = new Set(await admin.listTopics());
      const topics = names.filter((name) => there.has(name));
      if (topics.length > 0) await admin.deleteTopics({ topics });
    },
    0,
  );
}
