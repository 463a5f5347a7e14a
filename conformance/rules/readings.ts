// Rules on one reading: names, values, nesting, and the limits of each from both sides.
import type { Gateway, JudgedData } from '../client/gateway.ts';
import type { Rule } from '../rule.ts';

const section = 'metrics';
const EMOJI = '😀';
const MAX_MEMBERS = 1024;
const MAX_DEPTH = 16;
/** A reading that a topic with the usual limit of Kafka, 1 MiB, takes. */
const MAX_RECORD_BYTES = 1_000_000;

/** A reading with these members beside those that the gateway asks for. */
const reading = (gateway: Gateway, members: string) => `{${gateway.required}${members}}`;

const all = (gateway: Gateway, verdict: 'ok' | 'invalid_message', members: readonly string[]): JudgedData[] =>
  members.map((text) => [reading(gateway, text), verdict]);

/** Members `"n0":0` and so on. */
const members = (count: number) => Array.from({ length: count }, (_, index) => `"n${index}":0`).join(',');

/** A member whose value makes the reading this deep; the reading itself is depth 1. */
function deep(depth: number, open: string, close: string): string {
  const inner = depth - 1;
  return `"d":${open.repeat(inner)}${close.repeat(inner)}`;
}

/** How many members --reading makes, with those inside. */
function requiredMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inside = Object.values(value);
  return inside.length + inside.reduce((sum: number, one) => sum + requiredMembers(one), 0);
}

export const READING_RULES: readonly Rule[] = [
  {
    id: 'readings.values',
    section,
    says: 'A value may be a number in any form of JSON, a string, true, false or null.',
    check: (gateway) =>
      gateway.judgesData(
        all(gateway, 'ok', [
          '"a":0,"b":-0,"c":-1.50,"d":1e400,"e":12345678901234567890,"f":1E-7,"g":0.1e+1',
          '"a":true,"b":false,"c":null,"d":"","e":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u001b"',
        ]),
      ),
  },
  {
    id: 'readings.number_length',
    section,
    says: 'A number may have 1024 characters as written, and not one more.',
    check: (gateway) =>
      gateway.judgesData([
        ...all(gateway, 'ok', [
          `"a":${'1'.repeat(1024)}`,
          `"a":-0.${'1'.repeat(1021)}`,
          `"a":[${'1'.repeat(1024)}]`,
        ]),
        ...all(gateway, 'invalid_message', [
          `"a":${'1'.repeat(1025)}`,
          `"a":-0.${'1'.repeat(1022)}`,
          `"a":[${'1'.repeat(1025)}]`,
        ]),
      ]),
  },
  {
    id: 'readings.string_length',
    section,
    says: 'A string may be as long as the line allows.',
    check: async (gateway) => {
      const device = await gateway.identified();
      const bytes = Math.min(gateway.options.maxLineBytes, MAX_RECORD_BYTES);
      const length = bytes - gateway.metrics(1, reading(gateway, '"a":""')).length;
      await device.send(`${gateway.metrics(1, reading(gateway, `"a":"${'x'.repeat(length)}"`))}\n`).alive();
      await device.stored(1);
    },
  },
  {
    id: 'readings.surrogates',
    section,
    says: 'Half of a surrogate pair is refused, in names and in strings.',
    isRelaxedByGo: true,
    check: (gateway) =>
      gateway.judgesData(
        all(gateway, 'invalid_message', [
          '"a":"\\ud800"',
          '"a":"\\udc00\\ud800"',
          '"\\ud800":1',
          '"a":["\\ud800"]',
          '"a":{"b\\udfff":1}',
        ]),
      ),
  },
  {
    id: 'readings.names',
    section,
    says: 'A name has 1 to 64 characters and no control characters.',
    check: (gateway) =>
      gateway.judgesData([
        ...all(gateway, 'ok', [
          `"${'x'.repeat(64)}":1`,
          `"${EMOJI.repeat(64)}":1`,
          '" ":1',
          '"\\u0061\\"":1',
        ]),
        ...all(gateway, 'invalid_message', [
          '"":1',
          `"${'x'.repeat(65)}":1`,
          `"${EMOJI.repeat(65)}":1`,
          '"a\\tb":1',
          '"\\u007f":1',
          '"\\u009f":1',
        ]),
      ]),
  },
  {
    id: 'readings.nested_names',
    section,
    says: 'The names of nested objects have the same limits.',
    check: (gateway) =>
      gateway.judgesData([
        ...all(gateway, 'ok', [`"o":{"${'x'.repeat(64)}":1}`, `"o":[{"${EMOJI.repeat(64)}":1}]`]),
        ...all(gateway, 'invalid_message', [
          '"o":{"":1}',
          `"o":{"${'x'.repeat(65)}":1}`,
          `"o":[{"${EMOJI.repeat(65)}":1}]`,
          '"o":{"a":{"b\\tc":1}}',
        ]),
      ]),
  },
  {
    id: 'readings.names_twice',
    section,
    says: 'A name may not be in an object twice, also if it is written with escapes.',
    isRelaxedByGo: true,
    check: (gateway) =>
      gateway.judgesData(
        all(gateway, 'invalid_message', [
          '"x":1,"x":1',
          '"x":1,"y":2,"\\u0078":3',
          '"o":{"x":1,"x":2}',
          '"o":[{"x":1,"\\u0078":2}]',
          '"o":{"x":1,"p":{"x":1},"x":2}',
        ]),
      ),
  },
  {
    id: 'readings.names_in_two_objects',
    section,
    says: 'Two objects of a reading may have the same names.',
    check: (gateway) => gateway.judgesData(all(gateway, 'ok', ['"x":{"x":{"x":1}},"y":[{"x":1},{"x":2}]'])),
  },
  {
    id: 'readings.nested',
    section,
    says: 'A value may be an object or an array, empty too.',
    check: (gateway) =>
      gateway.judgesData(
        all(gateway, 'ok', [
          '"position":{"lat":48.1372,"lon":11.5756},"axles":[7200,8100]',
          '"a":{},"b":[],"c":[[],{}],"d":[null,true,"x",1.50]',
          '"a" : { "b" : [ 1 , { "c" : [ ] } ] }',
        ]),
      ),
  },
  {
    id: 'readings.empty',
    section,
    says: 'A reading without a field is refused.',
    check: (gateway) =>
      gateway.judgesData([
        ['{}', 'invalid_message'],
        ['{ }', 'invalid_message'],
      ]),
  },
  {
    id: 'readings.depth',
    section,
    says: `Objects and arrays may be nested ${MAX_DEPTH} deep, the reading itself included, and not deeper.`,
    check: (gateway) =>
      gateway.judgesData([
        ...all(gateway, 'ok', [
          deep(MAX_DEPTH, '[', ']'),
          `"d":${'{"a":'.repeat(MAX_DEPTH - 1)}1${'}'.repeat(MAX_DEPTH - 1)}`,
        ]),
        ...all(gateway, 'invalid_message', [
          deep(MAX_DEPTH + 1, '[', ']'),
          `"d":${'{"a":'.repeat(MAX_DEPTH)}1${'}'.repeat(MAX_DEPTH)}`,
          deep(500, '[', ']'),
        ]),
      ]),
  },
  {
    id: 'readings.members',
    section,
    says: `A reading may have ${MAX_MEMBERS} members in all, those of nested objects and arrays included.`,
    check: (gateway) => {
      const free = MAX_MEMBERS - requiredMembers(gateway.options.reading);
      const inArray = (count: number) =>
        `"a":[${Array<number>(count - 1)
          .fill(0)
          .join(',')}]`;
      const inObject = (count: number) => `"a":{${members(count - 1)}}`;
      return gateway.judgesData([
        ...all(gateway, 'ok', [members(free), inArray(free), inObject(free)]),
        ...all(gateway, 'invalid_message', [members(free + 1), inArray(free + 1), inObject(free + 1)]),
      ]);
    },
  },
];
