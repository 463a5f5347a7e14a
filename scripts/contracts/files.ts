// The files in docs/contracts, by path: JSON Schema of each message, reply and record, and AsyncAPI for the ports and topics.
import { asyncapi, type Places } from './asyncapi.ts';
import { MESSAGES, type MessageRules, messageSchemas } from './messages.ts';
import {
  ALARM,
  DEAD_LETTER_HEADERS,
  PLAIN_LINE,
  PRESENCE,
  readingRecordSchemas,
  WRAPPED_LINE,
} from './records.ts';
import { REPLIES } from './replies.ts';
import { document, type Schema } from './schema.ts';

/** A gateway with the default settings. */
export const DEFAULT_RULES: MessageRules = {
  identify: ['zipcode', 'city'],
  required: [],
  isTraced: false,
  isCertified: false,
  isWrapped: false,
};

/** The schemas of a gateway, by the name of their file without `.schema.json`. */
export function schemaFiles(rules: MessageRules): Record<string, Record<string, unknown>> {
  const { readingRecord = {}, ...readings } = readingRecordSchemas(rules);
  return {
    'device-message': document(
      'device-message',
      oneOf('Device message', MESSAGE, MESSAGES),
      messageSchemas(rules),
    ),
    reply: document('reply', oneOf('Reply', REPLY, Object.keys(REPLIES)), REPLIES),
    'reading-record': document('reading-record', readingRecord, readings),
    'plain-line': document('plain-line', PLAIN_LINE, {}),
    'wrapped-line-record': document('wrapped-line-record', WRAPPED_LINE, {}),
    'dead-letter-headers': document('dead-letter-headers', DEAD_LETTER_HEADERS, {}),
    'presence-record': document(
      'presence-record',
      oneOf('Presence record', STATE, Object.keys(PRESENCE)),
      PRESENCE,
    ),
    'alarm-record': document('alarm-record', ALARM, {}),
  };
}

/** @param folder ends with a slash */
export function contractFiles(
  folder = 'docs/contracts/',
  { rules = DEFAULT_RULES, places }: { rules?: MessageRules; places?: Places } = {},
): Record<string, string> {
  const texts = Object.entries(schemaFiles(rules)).map(([name, schema]) => [`${name}.schema.json`, schema]);
  const all = [...texts, ['asyncapi.json', asyncapi(rules, places)]];
  return Object.fromEntries(all.map(([name, content]) => [`${folder}${name}`, textOf(content)]));
}

/** In ASCII: patterns have characters that no editor shows. */
const textOf = (content: unknown) =>
  `${JSON.stringify(content, null, 2).replace(/[\u007f-\uffff]/g, escapeOf)}\n`;
const escapeOf = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

const MESSAGE = 'A line that a device sends to TCP_PORT or TCP_TLS_PORT. Other fields are ignored.';
const REPLY =
  'A line that the gateway sends to a device. Expect fields, statuses and codes that are not here: later versions may have them.';
const STATE = 'The value of a record of KAFKA_TOPIC_PRESENCE that is no tombstone.';

function oneOf(title: string, description: string, names: readonly string[]): Schema {
  return { title, description, oneOf: names.map((name) => ({ $ref: name })) };
}
