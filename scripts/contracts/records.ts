// The records in Kafka's topics: readings, plain lines, dead letters, presence, and the alarms of the example consumer. Headers
// are schemas of an object from names to texts.
import { KAFKA_ERRORS } from '../../src/kafka/wire/errors.ts';
import { CLOSE_REASONS } from '../../src/protocol/close-reasons.ts';
import { CODE_NAMES } from '../../src/protocol/codes.ts';
import { CRASHED } from '../../src/protocol/presence-state.ts';
import { type MessageRules, readingSchemas, TAGS } from './messages.ts';
import type { Schema, Schemas } from './schema.ts';
import { CITY, CONNECTION_ID, DEVICE, PRINTABLE, SEQ, UTC_TIME, ZIPCODE } from './texts.ts';

/** Control characters have become spaces. */
const RECORD_CITY: Schema = { ...CITY, ...PRINTABLE, description: 'From identify.' };
const ADDRESS: Schema = { type: 'string', description: 'Of the device, as in the log.' };

/** `readingRecord`, and the schemas that it refers to. */
export function readingRecordSchemas({ identify, required }: MessageRules): Schemas {
  const given = ['zipcode', 'city', 'device_id'].filter((field) => identify.includes(field));
  const hasTags = identify.some((field) => field.startsWith('tags.'));
  return {
    readingRecord: {
      title: 'Reading record',
      description: 'The value of a record of the topic of readings.',
      type: 'object',
      required: ['connection_id', 'received_at', 'data', ...given, ...(hasTags ? ['tags'] : [])],
      properties: {
        connection_id: { ...CONNECTION_ID, description: 'Of the connection that sent it.' },
        zipcode: ZIPCODE,
        city: RECORD_CITY,
        received_at: { ...UTC_TIME, description: 'When the gateway received the line.' },
        device_id: DEVICE,
        tags: TAGS,
        seq: { ...SEQ, description: 'Of the message. The readings of an array share it.' },
        data: { $ref: 'reading' },
      },
      examples: [
        {
          connection_id: 'cc955851-e6d6-4b93-9719-2843d3e4997d',
          zipcode: '90210',
          city: 'Beverly Hills',
          received_at: '2026-11-21T11:33:11.494Z',
          device_id: 'roof-7',
          seq: 5,
          data: { temperature: 21.5 },
        },
      ],
    },
    ...readingSchemas(required),
  };
}

/** Those of KAFKA_HEADERS that are no constants of the operator. By default a record has none. */
export const READING_HEADERS: Schema = {
  title: 'Reading headers',
  description: 'Only those that KAFKA_HEADERS names, and its constants.',
  type: 'object',
  properties: {
    remote_address: ADDRESS,
    device_id: DEVICE,
    traceparent: { type: 'string', minLength: 55, maxLength: 55 },
    ce_specversion: { const: '1.0' },
    ce_id: { type: 'string', pattern: `^${idPattern()}-[0-9]{16}$` },
    ce_source: { type: 'string', minLength: 1 },
    ce_type: { type: 'string', minLength: 1 },
    ce_time: UTC_TIME,
    'content-type': { type: 'string', minLength: 1 },
  },
};

function idPattern(): string {
  return (CONNECTION_ID.pattern ?? '').slice(1, -1);
}

export const PLAIN_LINE: Schema = {
  title: 'Plain line',
  description: 'One JSON object, with any fields. The record of a plain line has it byte for byte.',
  type: 'object',
};

export const WRAPPED_LINE: Schema = {
  title: 'Wrapped line record',
  description: 'The record of a plain line with TCP_LINES_WRAP=true.',
  type: 'object',
  required: ['received_at', 'remote_address', 'data'],
  properties: { received_at: UTC_TIME, remote_address: ADDRESS, data: PLAIN_LINE },
};

const RECORD_ERRORS = [...KAFKA_ERRORS.values()]
  .filter(({ outcome }) => outcome === 'record' || outcome === 'too-large')
  .map(({ name }) => name);

/** Their value is the refused line, or the value of the refused record: any bytes. */
export const DEAD_LETTER_HEADERS: Schema = {
  title: 'Dead letter headers',
  description: 'Why a line or a record was refused, and by whom it was sent.',
  type: 'object',
  required: ['reason', 'topic', 'connection_id', 'zipcode', 'remote_address', 'received_at'],
  properties: {
    reason: {
      type: 'string',
      enum: [...CODE_NAMES, ...RECORD_ERRORS],
      description: 'The reply code for a line, the name of the error of Kafka for a record.',
    },
    topic: { type: 'string', minLength: 1, description: 'That the record was for, or would have been for.' },
    connection_id: { type: 'string', description: 'Of the connection that sent it.' },
    zipcode: { type: 'string', description: 'Empty if the device had not identified, or gave none.' },
    remote_address: { type: 'string', description: 'Empty if the connection was gone already.' },
    received_at: UTC_TIME,
    city: RECORD_CITY,
    device_id: DEVICE,
    tags: {
      type: 'string',
      pattern: '^\\{.+\\}$',
      description: 'JSON, as the records of the device have it.',
    },
    key: { type: 'string', description: 'Of the record, if that is not the zipcode.' },
    plain: { enum: ['sent', 'wrapped'], description: 'Only of a line of TCP_LINES_PORT.' },
  },
  patternProperties: { '^record\\.': { type: 'string' } },
};

const STATE: Schemas = {
  at: UTC_TIME,
  connection_id: CONNECTION_ID,
  device_id: DEVICE,
  zipcode: ZIPCODE,
  remote_address: ADDRESS,
};
const STATE_REQUIRED = ['event', 'at', 'connection_id', 'remote_address'];

/** The value of a record of KAFKA_TOPIC_PRESENCE, by its event. Null stands for none: a tombstone. */
export const PRESENCE: Schemas = {
  presenceConnected: state('connected', 'The connection has its place.', {}, []),
  presenceIdentified: state('identified', 'The device has identified.', {}, []),
  presenceClosed: state(
    'closed',
    'The connection has ended.',
    {
      reason: { type: 'string', enum: [...CLOSE_REASONS, CRASHED] },
      seconds: { type: 'integer', minimum: 0, description: 'How long it was connected.' },
      lines: { type: 'integer', minimum: 0, description: 'How many lines it sent.' },
      stored_seq: { ...SEQ, description: 'The highest one that was stored by then.' },
    },
    ['reason', 'seconds'],
  ),
};

function state(event: string, description: string, more: Schemas, required: readonly string[]): Schema {
  return {
    title: `Presence: ${event}`,
    description,
    type: 'object',
    required: [...STATE_REQUIRED, ...required],
    properties: { event: { const: event }, ...STATE, ...more },
  };
}

/** Sluice creates the topic, and writes nothing to it: examples/consumer does, and the old system did. */
export const ALARM: Schema = {
  title: 'Alarm record',
  description:
    'A threshold was broken for its duration, or no longer is. Written by examples/consumer, not by the gateway.',
  type: 'object',
  required: [
    ...['type', 'zipcode', 'city', 'metric', 'value', 'threshold', 'operator'],
    ...['duration_minutes', 'start_time', 'alarm_id'],
  ],
  properties: {
    type: { enum: ['ALARM_TRIGGERED', 'ALARM_CLEARED'] },
    zipcode: { type: 'string' },
    city: { type: 'string' },
    metric: { type: 'string' },
    value: { type: 'number' },
    threshold: { type: 'number' },
    operator: { enum: ['>', '>=', '<', '<='] },
    duration_minutes: { type: 'integer', minimum: 0 },
    start_time: { ...UTC_TIME, description: 'Since when the threshold was broken.' },
    alarm_id: { type: 'string' },
  },
};
