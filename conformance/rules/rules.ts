// All rules, in the order of docs/protocol.md.
import type { Rule } from '../rule.ts';
import { DEVICE_ID_RULES } from './device-id.ts';
import { ERROR_RULES } from './errors.ts';
import { FIRST_BYTES_RULES } from './first-bytes.ts';
import { HALF_CLOSE_RULES } from './half-close.ts';
import { IDENTIFY_RULES } from './identify.ts';
import { KEEPALIVE_RULES } from './keepalive.ts';
import { LINE_RULES } from './lines.ts';
import { METRICS_RULES } from './metrics.ts';
import { TLS_RULES } from './over-tls.ts';
import { PLAIN_LINE_RULES } from './plain-lines.ts';
import { READING_RULES } from './readings.ts';
import { REQUIRED_RULES } from './required-fields.ts';
import { RESUME_RULES } from './resume.ts';
import { SEQ_RULES } from './seq.ts';
import { STORED_RULES } from './stored.ts';
import { TAG_RULES } from './tags.ts';
import { TIME_RULES } from './time.ts';
import { TOKEN_RULES } from './tokens.ts';
import { TRACEPARENT_RULES } from './traceparent.ts';
import { UNKNOWN_FIELD_RULES } from './unknown-fields.ts';

export const RULES: readonly Rule[] = [
  ...LINE_RULES,
  ...FIRST_BYTES_RULES,
  ...HALF_CLOSE_RULES,
  ...TLS_RULES,
  ...IDENTIFY_RULES,
  ...TAG_RULES,
  ...DEVICE_ID_RULES,
  ...TOKEN_RULES,
  ...METRICS_RULES,
  ...READING_RULES,
  ...REQUIRED_RULES,
  ...TRACEPARENT_RULES,
  ...KEEPALIVE_RULES,
  ...TIME_RULES,
  ...SEQ_RULES,
  ...RESUME_RULES,
  ...STORED_RULES,
  ...ERROR_RULES,
  ...UNKNOWN_FIELD_RULES,
  ...PLAIN_LINE_RULES,
];
