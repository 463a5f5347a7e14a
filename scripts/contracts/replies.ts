// The replies to devices, as src/protocol/replies.ts writes them, with the codes of src/protocol/codes.ts.
import { CLOSING_CODES, CODE_NAMES } from '../../src/protocol/codes.ts';
import { MIN_RECONNECT_MS } from '../../src/server/departures.ts';
import type { Schema, Schemas } from './schema.ts';
import { CONNECTION_ID, SEQ, UTC_TIME } from './texts.ts';

const MESSAGE: Schema = { type: 'string', description: 'For people; the words may change.' };
const WAIT: Schema = { type: 'integer', minimum: 0, description: 'Stay away for so many milliseconds.' };

/** By status. */
export const REPLIES: Schemas = {
  identified: reply(
    'identified',
    'The device has identified.',
    {
      connection_id: { ...CONNECTION_ID, description: 'The records of this connection have it.' },
      stored_seq: {
        ...SEQ,
        type: ['integer', 'null'],
        description: 'Only after `resume`: messages up to this one are stored. Null: nothing is known.',
      },
    },
    ['connection_id'],
  ),
  alive: reply('alive', 'The answer to keepalive.', {}, []),
  time: reply('time', "The server's time.", { now: UTC_TIME }, ['now']),
  stored: reply(
    'stored',
    'Every message up to this one that was not refused is in Kafka or on the disk.',
    { seq: SEQ },
    ['seq'],
  ),
  error: reply(
    'error',
    'A line or the connection is refused. A device should expect codes that are not in this list.',
    {
      code: { type: 'string', enum: CODE_NAMES },
      message: MESSAGE,
      seq: { ...SEQ, description: 'Of the message that is refused. Left out if it had none.' },
      reconnect_after_ms: WAIT,
    },
    ['code', 'message'],
  ),
  warning: reply(
    'warning',
    'A field is ignored, which may be a mistake. Only with TCP_STRICT=warn.',
    { code: { const: 'unknown_field' }, message: MESSAGE, seq: SEQ },
    ['code', 'message'],
  ),
  closing: reply(
    'closing',
    'The connection is about to end, and not because of the device.',
    {
      code: { type: 'string', enum: Object.keys(CLOSING_CODES) },
      reconnect_after_ms: { ...WAIT, minimum: MIN_RECONNECT_MS },
    },
    ['code', 'reconnect_after_ms'],
  ),
};

function reply(status: string, description: string, fields: Schemas, required: readonly string[]): Schema {
  return {
    title: `${status.slice(0, 1).toUpperCase()}${status.slice(1)} reply`,
    description,
    type: 'object',
    required: ['type', 'status', ...required],
    properties: { type: { const: 'ack' }, status: { const: status }, ...fields },
  };
}
