// Schemas of single texts and numbers that several messages share. The limits are those of the code of the protocol.
import { DEVICE_ID, IDENTIFY_LENGTHS } from '../../src/protocol/messages.ts';
import type { Schema } from './schema.ts';

// Regular expressions differ between languages. Patterns use only the part that ECMAScript, Python, Go (RE2), Rust and Java have
// in common: no \u, \s, \d or lookahead, and no half of a surrogate pair, which most of them cannot name. A character beyond
// ASCII stands for itself.

/** For a class of characters: control characters. */
export const CONTROLS = '\\x00-\\x1f\\x7f-\u009f';
/** For a class of characters: the white space around the names of pairs. */
export const SPACES = '\\t-\\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff';

/** A whole text without control characters. `^[^...]+$` would allow a last LF in Python, PHP and others. */
export const PRINTABLE: Schema = { minLength: 1, not: { pattern: `[${CONTROLS}]` } };
/** A text of this form. In some languages `$` also matches before a last LF. */
const whole = (pattern: string): Schema => ({ pattern, not: { pattern: '\\n' } });

export const SEQ: Schema = {
  type: 'integer',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'The number of the message, in plain digits. It rises from message to message.',
};
export const ZIPCODE: Schema = {
  type: 'string',
  maxLength: IDENTIFY_LENGTHS.zipcode,
  ...PRINTABLE,
};
export const CITY: Schema = {
  type: 'string',
  minLength: 1,
  maxLength: IDENTIFY_LENGTHS.city,
  description: 'A control character becomes a space in records.',
};
export const DEVICE: Schema = { type: 'string', ...whole(DEVICE_ID.source) };
export const CONNECTION_ID: Schema = {
  type: 'string',
  format: 'uuid',
  pattern: '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
};
/** As Date.toISOString() writes it. */
export const UTC_TIME: Schema = {
  type: 'string',
  format: 'date-time',
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$',
};
/** Fractions and any offset. The days of a month are beyond a pattern. */
export const ANY_TIME: Schema = {
  type: 'string',
  format: 'date-time',
  ...whole(
    '^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$',
  ),
};
