// Makes the port for plain lines from the settings: its TLS, its networks, and how its lines become records.
import type { Settings } from '../config/settings.ts';
import { headerMaker } from '../kafka/batches/record-headers.ts';
import type { Kafka } from '../kafka/kafka.ts';
import type { LetterDevice } from '../kafka/pipelines/dead-letters.ts';
import { plainKey } from '../protocol/plain-line.ts';
import { PlainLines } from '../protocol/plain-lines.ts';
import type { LineBytes } from '../queue/job.ts';
import type { Connection } from '../server/connection.ts';
import { plainManner } from '../server/manner.ts';
import type { Port } from '../server/port.ts';
import { TrustedNetworks } from '../server/trusted-networks.ts';
import { LineSinks } from '../workers/line-sinks.ts';

/** TCP_LINES_PORT. */
export function linesPort(settings: Settings): Port {
  const { TCP_LINES_TLS: isTls, TCP_LINES_TRUSTED: networks } = settings;
  const plain = new PlainLines({
    framing: settings.TCP_LINES_FRAMING,
    isWrapped: settings.TCP_LINES_WRAP,
    keyField: settings.TCP_LINES_KEY,
    topicField: settings.TCP_LINES_TOPIC_FIELD,
  });
  const headersOf = headerMaker(settings.KAFKA_HEADERS);
  const manner = plainManner(plain, (connectionId, remoteAddress) =>
    plain.frameOf(connectionId, remoteAddress, headersOf({ connectionId, remoteAddress })),
  );
  return { isTls, manner, trusted: networks.length === 0 ? undefined : new TrustedNetworks(networks) };
}

/** The topics of its lines. */
export function linesSinks(settings: Settings, kafka: Pick<Kafka, 'sinkOf'>): LineSinks {
  const names = settings.TCP_LINES_PORT === null ? [] : settings.TCP_LINES_TOPICS;
  const usual = settings.TCP_LINES_PORT === null ? settings.KAFKA_TOPIC_METRICS : linesTopic(settings);
  return new LineSinks(kafka.sinkOf(usual), new Map(names.map((name) => [name, kafka.sinkOf(name)])));
}

/** The topic of a line that names none. */
export function linesTopic({ TCP_LINES_TOPIC: topic, KAFKA_TOPIC_METRICS: metrics }: Settings): string {
  return topic ?? metrics;
}

/** The rest of the record that it would have been, so that it can be sent again. Undefined for the line of a device. */
export function plainLetter(
  { plain, frame }: Pick<Connection, 'plain' | 'frame'>,
  { bytes, start, end }: LineBytes,
  sinks: LineSinks,
): LetterDevice | undefined {
  if (plain === undefined) return undefined;
  const { scan, options } = plain;
  const isWhole = scan.scan(bytes, start, end);
  return {
    city: undefined,
    deviceId: undefined,
    key: (isWhole ? plainKey(bytes, scan.key) : undefined) ?? frame?.key,
    plain: options.isWrapped ? 'wrapped' : 'sent',
    topic: isWhole ? sinks.topicOf(bytes, scan.topic) : undefined,
  };
}
