// Rules on identify: its fields with their limits from both sides, and lines before it.
import type { Gateway } from '../client/gateway.ts';
import { NotChecked } from '../outcome.ts';
import type { Rule } from '../rule.ts';

const section = 'identify';
const EMOJI = '😀';
/** A text that JSON.stringify leaves alone, and that the protocol knows as half of a surrogate pair. */
const HALF = '\\ud800';

/** Refused values of one field, as JSON text. */
const refused = (gateway: Gateway, field: string, values: readonly string[]) =>
  gateway.refusesIdentify(
    withoutHalf(gateway, values).map((value) => gateway.identifyText(`"${field}":${value}`, [field])),
  );

/** With TCP_COMPATIBILITY=go half of a pair is replaced, not refused. */
const withoutHalf = (gateway: Gateway, values: readonly string[]) =>
  values.filter((value) => !gateway.options.isGoCompatible || !value.includes(HALF));

const accepted = (gateway: Gateway, field: string, values: readonly string[]) =>
  gateway.acceptsIdentify(values.map((value) => gateway.identifyText(`"${field}":${value}`, [field])));

const quoted = (text: string) => JSON.stringify(text);

export const IDENTIFY_RULES: readonly Rule[] = [
  {
    id: 'identify.answered',
    section,
    says: 'A valid identify is answered `identified`, with a connection_id that no other connection has.',
    check: async (gateway) => {
      const ids: unknown[] = [];
      for (let i = 0; i < 2; i++) {
        const device = await gateway.connect();
        const reply = await device.send(`${gateway.identify()}\n`).expect('identified');
        if (ids.includes(reply.fields.connection_id)) throw device.failed('a connection_id of its own');
        ids.push(reply.fields.connection_id);
        await device.end().closed();
      }
    },
  },
  {
    id: 'identify.missing',
    section,
    says: 'An identify without a field that the gateway asks for is `invalid_message`.',
    check: (gateway) => {
      const asked = gateway.options.identify.map((name) => (name.startsWith('tags.') ? 'tags' : name));
      return gateway.refusesIdentify(asked.map((name) => gateway.identify({ [name]: undefined })));
    },
  },
  {
    id: 'identify.zipcode',
    section,
    says: '`zipcode` may have 1 to 64 characters, any but control characters.',
    check: (gateway) =>
      accepted(gateway, 'zipcode', [
        '"1"',
        '"K1A 0B1"',
        '"a_b/ü"',
        quoted('x'.repeat(64)),
        quoted(EMOJI.repeat(64)),
      ]),
  },
  {
    id: 'identify.zipcode_refused',
    section,
    says: 'A `zipcode` that is empty, longer, no string, or has control characters or half a pair is refused.',
    check: (gateway) =>
      refused(gateway, 'zipcode', [
        '""',
        quoted('x'.repeat(65)),
        quoted(EMOJI.repeat(65)),
        '90210',
        'null',
        '["90210"]',
        '"a\\tb"',
        '"a\\u007f"',
        '"a\\u009f"',
        `"${HALF}"`,
      ]),
  },
  {
    id: 'identify.city',
    section,
    says: '`city` may have 1 to 256 characters, control characters too.',
    check: (gateway) =>
      accepted(gateway, 'city', [
        '"A"',
        '"a\\tb\\u0000\\u0085c"',
        quoted('x'.repeat(256)),
        quoted(EMOJI.repeat(256)),
      ]),
  },
  {
    id: 'identify.city_refused',
    section,
    says: 'A `city` that is empty, longer, no string, or has half a pair is refused.',
    check: (gateway) =>
      refused(gateway, 'city', [
        '""',
        quoted('x'.repeat(257)),
        quoted(EMOJI.repeat(257)),
        '1',
        'null',
        `"a${HALF}"`,
      ]),
  },
  {
    id: 'identify.device_id',
    section,
    says: '`device_id` may have 1 to 64 of `A-Z a-z 0-9 . _ : -`.',
    check: async (gateway) => {
      const id = gateway.newDeviceId();
      await accepted(gateway, 'device_id', [quoted(`${id}.A_b:9-`), quoted(id.padEnd(64, 'x'))]);
    },
  },
  {
    id: 'identify.device_id_refused',
    section,
    says: 'A `device_id` that is empty, longer, no string, or has other characters is refused.',
    check: (gateway) =>
      refused(gateway, 'device_id', [
        '""',
        quoted('x'.repeat(65)),
        '"a b"',
        '"a/b"',
        '"é"',
        '7',
        'null',
        '"a\\n"',
      ]),
  },
  {
    id: 'identify.token',
    section,
    says: '`token` may be a string of up to 1024 characters, and means nothing if the gateway has no tokens.',
    check: async (gateway) => {
      if (gateway.options.token !== undefined) throw new NotChecked('the gateway has tokens');
      await accepted(gateway, 'token', ['""', quoted(EMOJI.repeat(1024)), `"${HALF}\\u0000"`]);
    },
  },
  {
    id: 'identify.token_refused',
    section,
    says: 'A `token` that is longer or no string is refused.',
    check: (gateway) => refused(gateway, 'token', [quoted('x'.repeat(1025)), '1', 'null', '{}']),
  },
  {
    id: 'identify.try_again',
    section,
    says: 'Before identify, lines that are no valid message are answered, and the device may try again.',
    check: async (gateway) => {
      const device = await gateway.connect();
      device
        .send('{"type":"identify"\n')
        .send(Buffer.from('{"type":"\xff"}\n', 'latin1'))
        .send('{"type":"hello"}\n');
      const second = gateway.options.isGoCompatible ? 'invalid_message' : 'invalid_utf8';
      await device.expect('invalid_json', second, 'invalid_message');
      device.send('{"type":"metrics","seq":4,"data":{}}\n{"type":"metrics","seq":"5","data":{"a":1}}\n');
      await device.expect('invalid_message 4', 'invalid_message');
      await device.send(`${gateway.identify()}\n`).expect('identified');
      await device.alive();
    },
  },
  {
    id: 'identify.comes_first',
    section,
    says: 'A valid message of another type before identify is `not_identified`, and the connection is closed.',
    check: async (gateway) => {
      for (const [line, name] of [
        ['{"type":"keepalive"}', 'not_identified'],
        [gateway.metrics(), 'not_identified'],
        [gateway.metrics(5), 'not_identified 5'],
      ] as const) {
        const device = await gateway.connect();
        await device.send(`${line}\n${gateway.identify()}\n`).expect(name);
        await device.closed();
      }
    },
  },
  {
    id: 'identify.second',
    section,
    says: 'A second valid identify is `already_identified` and changes nothing; an invalid one is `invalid_message`.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await gateway.judges(
        [
          { line: gateway.identify(), verdict: 'already_identified' },
          { line: gateway.identify({ device_id: 'a b' }), verdict: 'invalid_message' },
          { line: gateway.metrics(1), verdict: 'ok', seq: 1 },
        ],
        device,
      );
    },
  },
  {
    id: 'identify.timeout',
    section,
    says: 'A connection that does not identify within TCP_IDENTIFY_TIMEOUT is closed with `identify_timeout`.',
    isSlow: true,
    check: async (gateway) => {
      const device = await gateway.connect();
      device.waitLonger(gateway.options.identifyTimeoutMs);
      await device.expect('identify_timeout');
      await device.closed();
    },
  },
];
