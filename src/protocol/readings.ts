// Turns the `data` of a metrics message into the JSON text of each reading. It writes the text again from checked parts:
// names and strings escaped by JSON.stringify, numbers as the device wrote them, no white space.
import { decodeString, duplicateKey, elements, members } from './json-text.ts';

export const READING_LIMITS = {
  /** Readings of one batch message. */
  readings: 1000,
  /** Fields of one reading. */
  fields: 64,
  /** Characters of a field's name. */
  nameLength: 64,
  /** Characters of a string, and of a number as written. */
  valueLength: 1024,
} as const;

export type Readings =
  | { readonly ok: true; readonly readings: string[] }
  | { readonly ok: false; readonly problem: string };

type Reading =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: string };

const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it has to find control characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** @param raw the text of `data`: an object, a string, or an array of objects and strings */
export function decodeReadings(raw: string): Readings {
  if (raw[0] !== '[') {
    const reading = decodeReading(raw);
    return reading.ok ? { ok: true, readings: [reading.text] } : reading;
  }
  const items = elements(raw);
  if (items.length === 0 || items.length > READING_LIMITS.readings) {
    return { ok: false, problem: `field 'data': a batch holds 1-${READING_LIMITS.readings} readings` };
  }
  const readings: string[] = [];
  for (const [index, item] of items.entries()) {
    const reading = decodeReading(item);
    if (!reading.ok) return { ok: false, problem: `reading ${index + 1}: ${reading.problem}` };
    readings.push(reading.text);
  }
  return { ok: true, readings };
}

function decodeReading(raw: string): Reading {
  if (raw[0] === '{') return decodeObject(raw);
  if (raw[0] === '"') return decodePairs(decodeString(raw));
  return refused("field 'data': an object of fields, a 'name=value,name=value' string, or an array of those");
}

function decodeObject(raw: string): Reading {
  const list = members(raw);
  const twice = duplicateKey(list);
  if (twice !== undefined) return refusedField(twice, ' appears twice');
  return compose(list.map(({ key, raw: value }) => ({ name: key, value: scalarText(value) })));
}

// `name=value,name=value`, to be typed by hand. Nothing is quoted, so a value cannot hold a comma.
function decodePairs(text: string): Reading {
  const fields: Field[] = [];
  const names = new Set<string>();
  for (const pair of text.split(',', READING_LIMITS.fields + 1)) {
    const equals = pair.indexOf('=');
    if (equals < 0) return refused("field 'data': each part of the string is name=value");
    const name = pair.slice(0, equals).trim();
    const value = pair.slice(equals + 1).trim();
    if (names.has(name)) return refusedField(name, ' appears twice');
    names.add(name);
    fields.push({ name, value: scalarText(JSON_NUMBER.test(value) ? value : JSON.stringify(value)) });
  }
  return compose(fields);
}

interface Field {
  readonly name: string;
  /** The JSON text of the value, null if it is no allowed scalar. */
  readonly value: string | null;
}

function compose(fields: readonly Field[]): Reading {
  if (fields.length === 0 || fields.length > READING_LIMITS.fields) {
    return refused(`field 'data': a reading holds 1-${READING_LIMITS.fields} fields`);
  }
  const { nameLength, valueLength } = READING_LIMITS;
  let text = '';
  for (const { name, value } of fields) {
    if (!isName(name, nameLength))
      return refusedField(name, `: names have 1-${nameLength} characters, no control characters`);
    if (value === null)
      return refusedField(name, `: a number, boolean, null or string, up to ${valueLength} characters`);
    text += `${text === '' ? '{' : ','}${JSON.stringify(name)}:${value}`;
  }
  return { ok: true, text: `${text}}` };
}

function scalarText(raw: string): string | null {
  if (raw[0] === '"') {
    const value = decodeString(raw);
    return isAtMost(value, READING_LIMITS.valueLength) && value.isWellFormed() ? JSON.stringify(value) : null;
  }
  if (raw[0] === '{' || raw[0] === '[' || raw.length > READING_LIMITS.valueLength) return null;
  return raw;
}

/** True for 1 to `characters` characters without control characters. */
export function isName(text: string, characters: number): boolean {
  return text !== '' && isAtMost(text, characters) && !CONTROL.test(text) && text.isWellFormed();
}

/** Characters are code points: an emoji counts as one although it has two UTF-16 units. */
function isAtMost(text: string, characters: number): boolean {
  if (text.length <= characters) return true;
  return text.length <= 2 * characters && [...text].length <= characters;
}

// The name goes back to the device in the error reply, so it is bounded.
function refusedField(name: string, problem: string): Reading & { ok: false } {
  const bounded = name.length > 64 ? `${name.slice(0, 61)}...` : name;
  return refused(`field '${bounded.toWellFormed()}' of 'data'${problem}`);
}

function refused(problem: string): Reading & { ok: false } {
  return { ok: false, problem };
}
