// A gateway of the bench's own: the built server as a child process, with topics that are deleted at the end, and the
// proof that no message was lost.
import { randomBytes } from 'node:crypto';
import { withAdmin } from '../../scripts/kafka/client.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { type ServerOptions, ServerProcess } from './server-process.ts';

export interface OwnGatewayOptions extends Omit<ServerOptions, 'settings' | 'signal'> {
  readonly bootstrap: string;
  /** Prefix of its topics. */
  readonly name: string;
  /** Over the server's defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** KAFKA_BROKERS of the server. Absent: `bootstrap`. */
  readonly brokers?: string | undefined;
  /** Kills the server. Absent: the server always stops in order, so no topic that it was creating is left behind. */
  readonly signal?: AbortSignal;
}

export interface OwnGateway {
  readonly server: ServerProcess;
  readonly topic: string;
  /** Rejects if the server did not end in order. */
  stop(): Promise<void>;
}

/** Rejects with the end of the server's log. */
export async function startOwnGateway(options: OwnGatewayOptions): Promise<OwnGateway> {
  const { bootstrap, name, settings, brokers = bootstrap, signal, ...how } = options;
  const topic = `sluice.${name}.${randomBytes(6).toString('hex')}`;
  const alarms = `${topic}.alarms`;
  const removeTopics = () => deleteTopics(bootstrap, [topic, alarms]);
  let server: ServerProcess;
  try {
    server = await ServerProcess.start({
      ...how,
      settings: {
        ...settings,
        KAFKA_BROKERS: brokers,
        KAFKA_TOPIC_METRICS: topic,
        KAFKA_TOPIC_ALARMS: alarms,
        KAFKA_TOPIC_DEAD_LETTERS: '',
      },
      signal: signal ?? new AbortController().signal,
    });
  } catch (error) {
    // The server may have created them before it failed.
    await removeTopics().catch(() => {});
    throw error;
  }
  const stop = async () => {
    try {
      await server.stop();
    } finally {
      await removeTopics();
    }
  };
  return { server, topic, stop };
}

/** Runs `work` with a gateway and stops it. An error gets the end of the server's log. */
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

/** Rejects unless the topic's offsets and the server's own balance both show every message, once. */
export async function proveAllThere(
  { server, topic }: Pick<OwnGateway, 'server' | 'topic'>,
  bootstrap: string,
  sent: number,
) {
  const stats = await server.stats();
  const offsets = await withAdmin(bootstrap, (admin) => admin.fetchTopicOffsets(topic));
  const held = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  if (!isBalanced(stats, sent) || stats.records.confirmed !== sent || held !== sent) {
    throw new Error(`of ${sent} messages ${inWords(stats)}; the topic holds ${held}`);
  }
  return stats;
}

/** Rejects unless the server's own balance shows every message in the spool. For a server without Kafka. */
export async function proveAllSpooled({ server }: Pick<OwnGateway, 'server'>, sent: number) {
  const stats = await server.stats();
  if (!isBalanced(stats, sent) || stats.records.spooled !== sent)
    throw new Error(`of ${sent} messages ${inWords(stats)}`);
  return stats;
}

const isBalanced = ({ records, lines }: Snapshot, sent: number): boolean =>
  records.accepted === sent && lines.refusedLines === 0 && records.deadLettered === 0;

function inWords({ records, lines }: Snapshot): string {
  const { accepted, confirmed, spooled } = records;
  return `${accepted} were accepted, ${lines.refusedLines} refused, ${confirmed} confirmed, ${spooled} are in the spool`;
}

function deleteTopics(bootstrap: string, names: readonly string[]): Promise<void> {
  return withAdmin(
    bootstrap,
    async (admin) => {
      const known = new Set(await admin.listTopics());
      const topics = names.filter((name) => known.has(name));
      if (topics.length > 0) await admin.deleteTopics({ topics });
    },
    0,
  );
}
