// Rules on the tags of an identify.
import type { Gateway } from '../client/gateway.ts';
import type { Rule } from '../rule.ts';

const section = 'tags';
const EMOJI = '😀';

/** Members `"n0":1` and so on. */
const members = (count: number, value = '1') =>
  Array.from({ length: count }, (_, index) => `"n${index}":${value}`).join(',');

/** The tags that TCP_IDENTIFY asks for stay, so that only the others decide. */
function identifyWith(gateway: Gateway, tags: string): string {
  return gateway.identifyText(`"tags":${tags}`, ['tags']);
}

/** @param tags without the braces @returns with those that the gateway asks for in front */
function object(gateway: Gateway, tags: string): string {
  const asked = askedTags(gateway).map((name) => `${JSON.stringify(name)}:"x"`);
  return `{${[...asked, ...(tags === '' ? [] : [tags])].join(',')}}`;
}

const askedTags = (gateway: Gateway) =>
  gateway.options.identify.filter((name) => name.startsWith('tags.')).map((name) => name.slice(5));

export const TAG_RULES: readonly Rule[] = [
  {
    id: 'tags.accepted',
    section,
    says: '`tags` may have up to 16 names of 1 to 64 characters, with strings, numbers, true, false and null.',
    check: async (gateway) => {
      const free = 16 - askedTags(gateway).length;
      const lines = [
        object(gateway, ''),
        object(gateway, members(free)),
        object(gateway, `"${'x'.repeat(64)}":true,"${EMOJI.repeat(64)}":false,"é":null`),
        object(gateway, `"s":"${'x'.repeat(256)}","e":"${EMOJI.repeat(256)}"`),
        object(gateway, `"n":${'1'.repeat(64)},"f":-1.50,"x":1e400`),
      ];
      await gateway.acceptsIdentify(lines.map((tags) => identifyWith(gateway, tags)));
    },
  },
  {
    id: 'tags.refused',
    section,
    says: 'More tags, longer names or values, names twice or with control characters, and nested values are refused.',
    check: (gateway) =>
      gateway.refusesIdentify(
        [
          object(gateway, members(17)),
          object(gateway, `"${'x'.repeat(65)}":1`),
          object(gateway, '"":1'),
          object(gateway, '"a\\tb":1'),
          ...(gateway.options.isGoCompatible
            ? []
            : [object(gateway, '"\\ud800":1'), object(gateway, '"a":1,"\\u0061":2')]),
          object(gateway, `"a":"${'x'.repeat(257)}"`),
          object(gateway, `"a":${'1'.repeat(65)}`),
          object(gateway, '"a":{}'),
          object(gateway, '"a":[1]'),
          '[]',
          '"a=1"',
          'null',
        ].map((tags) => identifyWith(gateway, tags)),
      ),
  },
  {
    id: 'tags.size',
    section,
    says: 'The tags have at most 2048 bytes as JSON without white space.',
    check: async (gateway) => {
      // Nine tags, the last of which fills up: each value alone is within its limit.
      const sized = (bytes: number) => {
        const start = `${object(gateway, members(8, `"${'x'.repeat(225)}"`)).slice(0, -1)},"last":"`;
        return `${start}${'y'.repeat(bytes - start.length - 2)}"}`;
      };
      await gateway.acceptsIdentify([identifyWith(gateway, sized(2048))]);
      await gateway.refusesIdentify([identifyWith(gateway, sized(2049))]);
    },
  },
];
