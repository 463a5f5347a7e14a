// The messages of devices, as decodeLine() judges them (src/protocol/messages.ts). The limits are imported from there. Limits
// that no schema can say stand in `UNSAID`, with which docs/contracts.md and the tests agree.
import { KNOWN_FIELDS } from '../../src/protocol/known-fields.ts';
import { IDENTIFY_LENGTHS } from '../../src/protocol/messages.ts';
import { READING_LIMITS } from '../../src/protocol/readings.ts';
import type { RequiredField } from '../../src/protocol/required-fields.ts';
import { TAG_LIMITS } from '../../src/protocol/tags.ts';
import { TRACEPARENT, TRACEPARENT_LENGTH } from '../../src/protocol/traceparent.ts';
import type { Schema, Schemas } from './schema.ts';
import { ANY_TIME, CITY, CONTROLS, DEVICE, PRINTABLE, SEQ, SPACES, ZIPCODE } from './texts.ts';

/** The settings that change the messages and records. */
export interface MessageRules {
  /** TCP_IDENTIFY. */
  readonly identify: readonly string[];
  /** TCP_REQUIRE. */
  readonly required: readonly RequiredField[];
  /** KAFKA_HEADERS has `traceparent`. */
  readonly isTraced: boolean;
  /** TCP_TLS_DEVICE_ID: a certificate gives the device_id. */
  readonly isCertified: boolean;
  /** TCP_LINES_WRAP: the records of plain lines say when and from whom they came. */
  readonly isWrapped: boolean;
}

/** Limits of a device's line that no schema can say: it sees the parsed value, and it cannot count over several levels. */
export const UNSAID: Readonly<Record<string, string>> = {
  twice: 'a name that comes twice in one object; a parser keeps one of the two',
  depth: `more than ${READING_LIMITS.depth} objects and arrays in each other`,
  members: `more than ${READING_LIMITS.members} fields and elements in a reading, counted over all levels`,
  digits: 'a `seq` that is written with a fraction or an exponent: 41.0 is an integer for a schema',
  numbers: `a number that is written with more than ${READING_LIMITS.numberLength} characters, in a tag with more than ${TAG_LIMITS.numberLength}`,
  tags: `tags that take more than ${TAG_LIMITS.bytes} bytes together`,
  pairs: 'in a text of pairs: equal names, and with TCP_REQUIRE a missing field',
  half: 'half of a surrogate pair, an escape such as `\\ud800` without its other half',
  calendar: 'a day that the month does not have, in a field that TCP_REQUIRE wants as a time',
  certificate: 'with TCP_TLS_DEVICE_ID, a missing `device_id` on a connection whose certificate gives none',
  order: 'a `seq` that does not rise',
  frame: 'more readings in one message than the tags and headers of this device leave room for',
};

const NAME: Schema = { maxLength: READING_LIMITS.nameLength, ...PRINTABLE };
const TAG_NAME: Schema = { maxLength: TAG_LIMITS.nameLength, ...PRINTABLE };

/** `name=value,name=value`. White space around a name is dropped, so it begins and ends with another character. */
const PAIR_NAME = (() => {
  const inner = `[^=,${CONTROLS}]`;
  const edge = `[^=,${CONTROLS}${SPACES}]`;
  return `[${SPACES}]*${edge}(?:${inner}{0,${READING_LIMITS.nameLength - 2}}${edge})?[${SPACES}]*`;
})();
const PAIR = `${PAIR_NAME}=[^,]*`;

export const TAGS: Schema = {
  type: 'object',
  description: `Facts about the device, which its records carry. Together at most ${TAG_LIMITS.bytes} bytes.`,
  maxProperties: TAG_LIMITS.tags,
  propertyNames: TAG_NAME,
  additionalProperties: {
    anyOf: [{ type: 'string', maxLength: TAG_LIMITS.textLength }, { type: ['number', 'boolean', 'null'] }],
  },
};

/** A reading as records have it. @param required the fields that every reading has */
export function readingSchemas(required: readonly RequiredField[]): Schemas {
  const types = {
    number: { type: 'number' },
    string: { type: 'string' },
    time: ANY_TIME,
  } as const;
  return {
    reading: {
      title: 'Reading',
      description: `Fields with any names. At most ${READING_LIMITS.depth} objects and arrays in each other, and ${READING_LIMITS.members} fields and elements in all.`,
      type: 'object',
      minProperties: 1,
      maxProperties: READING_LIMITS.members,
      propertyNames: NAME,
      ...(required.length > 0 && {
        required: required.map(({ name }) => name),
        properties: Object.fromEntries(required.map(({ name, type }) => [name, types[type]])),
      }),
      additionalProperties: { $ref: 'value' },
    },
    value: {
      title: 'Value',
      anyOf: [
        { type: ['string', 'number', 'boolean', 'null'] },
        { type: 'object', propertyNames: NAME, additionalProperties: { $ref: 'value' } },
        { type: 'array', maxItems: READING_LIMITS.members, items: { $ref: 'value' } },
      ],
    },
  };
}

/** Every message by its type, and the schemas that they refer to. */
export function messageSchemas(rules: MessageRules): Schemas {
  const schemas: Schemas = {
    identify: identifySchema(rules),
    metrics: {
      title: 'Metrics',
      description: 'One reading, or several at once. Each becomes one Kafka record.',
      type: 'object',
      required: ['type', 'data'],
      properties: {
        type: { const: 'metrics' },
        seq: SEQ,
        data: {
          anyOf: [
            { $ref: 'reading' },
            { $ref: 'pairs' },
            {
              type: 'array',
              minItems: 1,
              maxItems: READING_LIMITS.readings,
              items: { anyOf: [{ $ref: 'reading' }, { $ref: 'pairs' }] },
            },
          ],
        },
        ...(rules.isTraced && {
          traceparent: {
            type: 'string',
            description: 'W3C Trace Context. It becomes a header of the records.',
            minLength: TRACEPARENT_LENGTH,
            maxLength: TRACEPARENT_LENGTH,
            pattern: TRACEPARENT.source.replace(/\(\?!.*?\)/g, ''),
            not: { pattern: '^ff|-0+-' },
          },
        }),
      },
      examples: [{ type: 'metrics', seq: 41, data: { temperature: 21.5 } }],
    },
    keepalive: onlyType('keepalive', 'A sign of life, answered `alive`.'),
    time: onlyType('time', "A question for the server's time, answered `time`."),
    ...readingSchemas(rules.required),
    pairs: {
      title: 'Pairs',
      description: 'A reading to be typed by hand: `temperature=25.5,humidity=60.0`.',
      type: 'string',
      pattern: `^${PAIR}(?:,${PAIR})*$`,
      examples: ['temperature=25.5,humidity=60.0'],
    },
  };
  return schemas;
}

/** The names of the messages among them. */
export const MESSAGES = Object.keys(KNOWN_FIELDS);

function identifySchema({ identify, isCertified }: MessageRules): Schema {
  const tagNames = identify.flatMap((field) =>
    field.startsWith('tags.') ? [field.slice('tags.'.length)] : [],
  );
  const fields = identify.filter(
    (field) => !field.startsWith('tags.') && !(field === 'device_id' && isCertified),
  );
  const needsId = !isCertified && !fields.includes('device_id');
  return {
    title: 'Identify',
    description: 'The first message of a connection.',
    type: 'object',
    required: ['type', ...fields, ...(tagNames.length > 0 ? ['tags'] : [])],
    properties: {
      type: { const: 'identify' },
      zipcode: ZIPCODE,
      city: CITY,
      device_id: DEVICE,
      token: { type: 'string', maxLength: IDENTIFY_LENGTHS.token },
      resume: {
        type: 'boolean',
        description: 'True: the answer says which messages of this device_id are stored.',
      },
      tags: tagNames.length === 0 ? TAGS : withRequiredTags(tagNames),
    },
    ...(needsId && {
      if: { required: ['resume'], properties: { resume: { const: true } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { required: ['device_id'] },
    }),
    examples: [{ type: 'identify', zipcode: '90210', city: 'Beverly Hills', device_id: 'roof-7' }],
  };
}

function withRequiredTags(names: readonly string[]): Schema {
  const { additionalProperties } = TAGS;
  const value = typeof additionalProperties === 'object' ? additionalProperties : {};
  const given = { ...value, not: { enum: [null, ''] } };
  return { ...TAGS, required: names, properties: Object.fromEntries(names.map((name) => [name, given])) };
}

function onlyType(type: string, description: string): Schema {
  return {
    title: `${type.slice(0, 1).toUpperCase()}${type.slice(1)}`,
    description,
    type: 'object',
    required: ['type'],
    properties: { type: { const: type } },
    examples: [{ type }],
  };
}
