// Holds a line of a device, and what the gateway made of it, against the contract: what was accepted is valid, and what was
// refused as no message is not, unless for a reason that no schema can say.
import { type MessageRules, UNSAID } from '../../scripts/contracts/messages.ts';
import { READING_LIMITS } from '../../src/protocol/readings.ts';
import { TAG_LIMITS } from '../../src/protocol/tags.ts';
import { rawFacts } from './raw-json.ts';
import { faultOf } from './validators.ts';

export interface JudgedLine {
  /** One character a byte. */
  readonly line: string;
  readonly outcome: string;
  readonly message?: string;
}

export interface LineVerdict {
  /** In words. */
  readonly fault?: string;
  /** The type of an accepted message. */
  readonly type?: string;
  /** Why the line was refused although it is valid for the schema. */
  readonly unsaid?: string;
  /** The line was refused, and the schema refuses it too. */
  readonly isRefusedBySchema?: boolean;
}

/** The line is a valid message, and was refused because of its time or its sender. */
const VALID_REFUSALS = ['not_identified', 'already_identified', 'unauthorized', 'record_too_large'];
/** These come before anybody asks for a device_id that TCP_IDENTIFY or `resume` needs. */
const BEFORE_DEVICE_ID = ['already_identified', 'unauthorized'];
const WANTED = 'every reading has to have it';
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function judgeDeviceLine(
  { line, outcome, message = '' }: JudgedLine,
  rules: MessageRules,
): LineVerdict {
  const parsed = parse(line);
  if (outcome === 'invalid_utf8' || outcome === 'invalid_json') {
    // Both are about the text, and a schema is asked about the value.
    return parsed === undefined
      ? { isRefusedBySchema: true }
      : { fault: 'is one JSON object, and was refused' };
  }
  if (outcome !== 'accepted' && outcome !== 'invalid_message' && !VALID_REFUSALS.includes(outcome)) return {};
  if (parsed === undefined) return { fault: `is not one JSON object in UTF-8, and was ${outcome}` };
  const asked = BEFORE_DEVICE_ID.includes(outcome) ? { ...rules, isCertified: true } : rules;
  const fault = faultOf('device-message', parsed.value, asked);
  if (outcome !== 'invalid_message') {
    const unsaid = fault === undefined ? reasons(parsed, rules)[0] : undefined;
    if (unsaid !== undefined) return { fault: `was ${outcome} with ${UNSAID[unsaid]}` };
    const { type } = parsed.value as { type?: string };
    return fault === undefined ? { type: type ?? '' } : { fault: `was ${outcome}: ${fault}` };
  }
  if (fault !== undefined) return { isRefusedBySchema: true };
  const [unsaid] = reasons(parsed, rules, message);
  return unsaid === undefined ? { fault: `is valid, and was refused: ${message}` } : { unsaid };
}

/** A line of TCP_LINES_PORT. */
export function judgePlainLine({ line, outcome }: JudgedLine): LineVerdict {
  const parsed = parse(line);
  const isBlank = /^[ \t\r\n]*$/.test(line);
  if (outcome === 'accepted' && !isBlank) {
    if (parsed === undefined) return { fault: 'is not one JSON object in UTF-8, and was accepted' };
    const fault = faultOf('plain-line', parsed.value);
    return fault === undefined ? { type: 'plain' } : { fault };
  }
  if (outcome === 'invalid_json' || outcome === 'invalid_utf8')
    return parsed === undefined
      ? { isRefusedBySchema: true }
      : { fault: 'is one JSON object, and was refused' };
  return {};
}

interface Parsed {
  readonly text: string;
  readonly value: object;
}

/** Undefined if the line is not one JSON object in UTF-8. */
function parse(line: string): Parsed | undefined {
  try {
    const text = utf8.decode(Buffer.from(line, 'latin1'));
    const value = JSON.parse(text) as unknown;
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? { text, value } : undefined;
  } catch {
    return undefined;
  }
}

/** The names in UNSAID that apply to the line. @param message of the refusal */
function reasons({ text, value }: Parsed, rules: MessageRules, message = ''): string[] {
  const { type } = value as { type?: unknown };
  const facts = rawFacts(text, typeof type === 'string' ? type : '');
  const found: Readonly<Record<string, boolean>> = {
    twice: facts.isTwice,
    depth: facts.depth > READING_LIMITS.depth,
    members: facts.members > READING_LIMITS.members,
    digits: facts.seq !== undefined && !/^\d+$/.test(facts.seq),
    numbers:
      facts.longestNumber > READING_LIMITS.numberLength || facts.longestTagNumber > TAG_LIMITS.numberLength,
    tags: facts.tagsBytes > TAG_LIMITS.bytes,
    pairs: facts.hasTwicePair || (facts.hasPairs && rules.required.length > 0 && message.includes(WANTED)),
    half: facts.hasHalf,
    // Only the text of the refusal tells the rest.
    certificate: rules.isCertified && /^field '(?:device_id'|resume': needs)/.test(message),
    calendar: message.includes(`${WANTED}, as a time`),
    order: message.includes('has to rise'),
    frame: /a batch holds at most \d+ readings/.test(message),
  };
  return Object.keys(found).filter((name) => found[name]);
}
