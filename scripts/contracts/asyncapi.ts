// AsyncAPI 3.0 of the ports for devices and of the topics: who sends which message on which channel. It repeats the schemas of
// the files *.schema.json. The admin port has OpenAPI instead.
import { packageVersion } from '../../src/config/package-version.ts';
import { aboutSetting, type SettingName } from '../../src/config/settings.ts';
import { MESSAGES, type MessageRules, messageSchemas } from './messages.ts';
import {
  ALARM,
  DEAD_LETTER_HEADERS,
  PLAIN_LINE,
  PRESENCE,
  READING_HEADERS,
  readingRecordSchemas,
  WRAPPED_LINE,
} from './records.ts';
import { REPLIES } from './replies.ts';
import { located, type Schemas } from './schema.ts';

type PlaceSetting = Extract<
  SettingName,
  `TCP_${'' | 'TLS_' | 'LINES_'}PORT` | `KAFKA_TOPIC_${string}` | 'TCP_LINES_TOPIC'
>;
/** The port or topic that a setting names. Null = none. */
export type Places = (name: PlaceSetting) => string | number | null;
const DEFAULT_PLACES: Places = (name) => aboutSetting(name).default || null;
const ref = (path: string) => ({ $ref: `#/${path}` });
const toMessage = (name: string) => ref(`components/messages/${name}`);
const toSchema = (name: string) => ref(`components/schemas/${name}`);

/** Replies that answer a message of a type. Errors and `closing` may come at any time. */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  identify: ['identified', 'error', 'warning'],
  metrics: ['stored', 'error', 'warning'],
  keepalive: ['alive', 'error', 'warning'],
  time: ['time', 'error', 'warning'],
};

/** Each record has to be one message of its channel, and a wrapped line is a plain line as well. */
type LineRecord = 'plainLineRecord' | 'wrappedLineRecord';

export function asyncapi(rules: MessageRules, places = DEFAULT_PLACES): Record<string, unknown> {
  const lineRecord: LineRecord = rules.isWrapped ? 'wrappedLineRecord' : 'plainLineRecord';
  const replies = Object.fromEntries(
    Object.entries(REPLIES).map(([name, schema]) => [replyName(name), schema]),
  );
  const schemas: Schemas = {
    ...messageSchemas(rules),
    ...replies,
    ...readingRecordSchemas(rules),
    readingHeaders: READING_HEADERS,
    plainLine: PLAIN_LINE,
    ...(rules.isWrapped && { wrappedLine: WRAPPED_LINE }),
    deadLetterHeaders: DEAD_LETTER_HEADERS,
    ...PRESENCE,
    alarm: ALARM,
  };
  return {
    asyncapi: '3.0.0',
    id: 'urn:sluice',
    info: {
      title: 'Sluice',
      version: packageVersion(),
      description:
        'JSON lines of devices over TCP become records in Kafka. docs/protocol.md says what no document for machines can: order, limits of time, and what to do after each answer.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: servers(places),
    channels: channels(lineRecord, places),
    operations: operations(lineRecord),
    components: {
      messages: messages(lineRecord),
      schemas: located(schemas, '#/components/schemas/'),
    },
  };
}

const replyName = (status: string) => `${status}Reply`;
const names = (list: readonly string[]) => Object.fromEntries(list.map((name) => [name, toMessage(name)]));

function servers(places: Places) {
  const host = (port: string | number) => `gateway.example.com:${port}`;
  return {
    devices: {
      host: host(places('TCP_PORT') ?? 8080),
      protocol: 'tcp',
      description: 'TCP_PORT: one JSON object a line, in UTF-8, ended by LF.',
    },
    devicesTls: {
      host: host(places('TCP_TLS_PORT') ?? 8443),
      protocol: 'tls',
      description: 'TCP_TLS_PORT: the same inside TLS 1.2 or 1.3. Off unless the setting names a port.',
    },
    senders: {
      host: host(places('TCP_LINES_PORT') ?? 8081),
      protocol: 'tcp',
      description:
        'TCP_LINES_PORT: plain lines, of which none is answered. Off unless the setting names a port.',
    },
    kafka: { host: 'kafka.example.com:9092', protocol: 'kafka', description: 'KAFKA_BROKERS.' },
  };
}

function channels(lineRecord: LineRecord, places: Places) {
  const on = (server: string) => ref(`servers/${server}`);
  const topic = (setting: PlaceSetting, description: string, list: readonly string[]) => ({
    address: places(setting),
    description: `${setting}. ${description}`,
    servers: [on('kafka')],
    messages: names(list),
  });
  return {
    device: {
      address: null,
      description:
        'A connection of a device. It identifies first. Replies come on the same connection, in the order of the lines.',
      servers: [on('devices'), on('devicesTls')],
      messages: names([...MESSAGES, ...Object.keys(REPLIES).map(replyName)]),
    },
    plainLines: {
      address: null,
      description: 'A connection of a sender that knows nothing of the protocol of devices.',
      servers: [on('senders')],
      messages: names(['plainLine']),
    },
    readings: topic('KAFKA_TOPIC_METRICS', 'One record for each reading.', ['readingRecord']),
    lines: topic('TCP_LINES_TOPIC', 'Empty: the topic of readings.', [lineRecord]),
    deadLetters: topic('KAFKA_TOPIC_DEAD_LETTERS', 'Refused lines and records, for people to look at.', [
      'deadLetter',
    ]),
    presence: topic('KAFKA_TOPIC_PRESENCE', 'Who is connected. Off by default. Compacted.', [
      ...Object.keys(PRESENCE),
      'presenceTombstone',
    ]),
    alarms: topic('KAFKA_TOPIC_ALARMS', 'The gateway creates it for consumers that write alarms.', ['alarm']),
  };
}

function operations(lineRecord: LineRecord) {
  const inChannel = (channel: string, list: readonly string[]) =>
    list.map((name) => ref(`channels/${channel}/messages/${name}`));
  const sends = (channel: string, list: readonly string[]) => ({
    action: 'send',
    channel: ref(`channels/${channel}`),
    messages: inChannel(channel, list),
  });
  return {
    ...Object.fromEntries(
      MESSAGES.map((type) => [
        `receive${capital(type)}`,
        {
          action: 'receive',
          channel: ref('channels/device'),
          messages: inChannel('device', [type]),
          reply: {
            channel: ref('channels/device'),
            messages: inChannel('device', (ANSWERS[type] ?? []).map(replyName)),
          },
        },
      ]),
    ),
    closeConnection: sends('device', ['closingReply', 'errorReply']),
    receivePlainLine: {
      action: 'receive',
      channel: ref('channels/plainLines'),
      messages: inChannel('plainLines', ['plainLine']),
    },
    writeReading: sends('readings', ['readingRecord']),
    writeLine: sends('lines', [lineRecord]),
    writeDeadLetter: sends('deadLetters', ['deadLetter']),
    writePresence: sends('presence', [...Object.keys(PRESENCE), 'presenceTombstone']),
  };
}

function messages(lineRecord: LineRecord) {
  const message = (name: string, payload: unknown, more: object = {}) => [name, { name, payload, ...more }];
  const keyed = (description: string) => ({ bindings: { kafka: { key: { type: 'string', description } } } });
  const presenceKey = keyed('The device_id while the connection has it, else the id of the connection.');
  const lineKey = keyed('The id of the connection, or the field that TCP_LINES_KEY names.');
  return Object.fromEntries([
    ...MESSAGES.map((type) => message(type, toSchema(type))),
    ...Object.keys(REPLIES).map((status) => message(replyName(status), toSchema(replyName(status)))),
    message('plainLine', toSchema('plainLine')),
    message('readingRecord', toSchema('readingRecord'), {
      headers: toSchema('readingHeaders'),
      ...keyed('What KAFKA_KEY names, or the connection_id if the device gave no such field.'),
    }),
    message(lineRecord, toSchema(lineRecord === 'plainLineRecord' ? 'plainLine' : 'wrappedLine'), {
      headers: toSchema('readingHeaders'),
      ...lineKey,
    }),
    message(
      'deadLetter',
      {},
      {
        contentType: 'application/octet-stream',
        headers: toSchema('deadLetterHeaders'),
      },
    ),
    ...Object.keys(PRESENCE).map((name) => message(name, toSchema(name), presenceKey)),
    message('presenceTombstone', { type: 'null' }, presenceKey),
    message('alarm', toSchema('alarm'), keyed('The zipcode.')),
  ]);
}

const capital = (text: string) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
