// Rules on bytes and lines: how a line ends, which JSON it may be, how long it may be.
import type { Gateway } from '../client/gateway.ts';
import type { Rule } from '../rule.ts';

const section = 'Lines';
const ALIVE = '{"type":"keepalive"}';
/** Before identify a line may have so many bytes, unless TCP_MAX_LINE_BYTES is less. */
const MAX_FIRST_LINE_BYTES = 8192;

const maxFirstLineBytes = ({ options }: Gateway) =>
  options.isGoCompatible ? options.maxLineBytes : Math.min(MAX_FIRST_LINE_BYTES, options.maxLineBytes);

/** A keepalive of this many bytes, without LF. */
function longAlive(bytes: number): string {
  const start = '{"type":"keepalive","pad":"';
  return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
}

export const LINE_RULES: readonly Rule[] = [
  {
    id: 'lines.lf',
    section,
    says: 'LF alone ends a line.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send(`${ALIVE}\n${ALIVE}\n`).expect('alive', 'alive');
    },
  },
  {
    id: 'lines.crlf',
    section,
    says: 'One CR directly before the LF is ignored.',
    check: async (gateway) => {
      const device = await gateway.connect();
      await device.send(`${gateway.identify()}\r\n`).expect('identified');
      await device.send(`${ALIVE}\r\n${gateway.metrics(1)}\r\n`).expect('alive');
      await device.stored(1);
    },
  },
  {
    id: 'lines.white_space',
    section,
    says: 'White space (spaces, tabs, CR) may stand between tokens.',
    check: async (gateway) => {
      const device = await gateway.identified();
      const spaced = ` \t\r{ "type"\t:\r"metrics" , "seq" : 7 ,"data" :{${gateway.required} "a" : 1 } } \t`;
      await device.send(` \t { \t"type" : \r "keepalive"\t} \r\n${spaced}\n`).expect('alive');
      await device.stored(7);
    },
  },
  {
    id: 'lines.split',
    section,
    says: 'A line may come in any number of packets.',
    check: async (gateway) => {
      const device = await gateway.connect();
      await device.sendInParts([...Buffer.from(`${gateway.identify()}\n`)].map((byte) => Buffer.of(byte)));
      await device.expect('identified');
    },
  },
  {
    id: 'lines.many_at_once',
    section,
    says: 'A device may write any number of lines at once and need not wait for replies.',
    check: async (gateway) => {
      const device = await gateway.connect();
      device.send(`${gateway.identify()}\n${`${ALIVE}\n`.repeat(500)}`);
      await device.expect('identified', ...Array<string>(500).fill('alive'));
    },
  },
  {
    id: 'lines.key_order',
    section,
    says: 'Keys may come in any order.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send(`{"data":{${gateway.required}"a":1},"seq":3,"type":"metrics"}\n`).stored(3);
    },
  },
  {
    id: 'lines.escapes',
    section,
    says: 'Escapes in keys and strings are resolved before anything is compared.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send('{"t\\u0079pe":"\\u006beepaliv\\u0065"}\n').expect('alive');
      await device
        .send(`{"type":"metrics","\\u0073eq":2,"d\\u0061ta":{${gateway.required}"a":1}}\n`)
        .stored(2);
    },
  },
  {
    id: 'lines.utf8',
    section,
    says: 'A line is UTF-8, with characters of any length in strings and names.',
    check: (gateway) =>
      gateway.judgesData([
        [`{${gateway.required}"größe":"é 気温 😀"}`, 'ok'],
        [`{${gateway.required}"\\ud83d\\ude00":"\\u00e9\\u6c17"}`, 'ok'],
      ]),
  },
  {
    id: 'lines.invalid_utf8',
    section: 'error',
    says: 'A line with bytes that are not UTF-8 is `invalid_utf8`, and the connection goes on.',
    isRelaxedByGo: true,
    check: (gateway) =>
      gateway.judges(
        ['\xfc', '\xc0\xaf', '\xed\xa0\x80', '\xf5\x80\x80\x80'].map((bytes) => ({
          line: Buffer.from(`{"type":"metrics","data":{"a":"${bytes}"}}`, 'latin1'),
          verdict: 'invalid_utf8',
        })),
      ),
  },
  {
    id: 'lines.byte_order_mark',
    section,
    says: 'A byte order mark is not allowed: the line is `invalid_json`.',
    check: (gateway) => gateway.judges([{ line: `\ufeff${ALIVE}`, verdict: 'invalid_json' }]),
  },
  {
    id: 'lines.empty',
    section,
    says: 'An empty line is `invalid_json`.',
    check: (gateway) => gateway.judges(['', '\r', '  \t'].map((line) => ({ line, verdict: 'invalid_json' }))),
  },
  {
    id: 'lines.not_an_object',
    section,
    says: 'A line whose first byte after white space is not `{` is `invalid_json`, even if it is not UTF-8.',
    check: (gateway) =>
      gateway.judges(
        ['[{"type":"keepalive"}]', '"keepalive"', '1', 'null', 'hello', Buffer.of(0xff, 0xfc, 0x41)].map(
          (line) => ({ line, verdict: 'invalid_json' }),
        ),
      ),
  },
  {
    id: 'lines.strict_json',
    section,
    says: 'A line that is not one JSON object of RFC 8259 is `invalid_json`.',
    check: (gateway) =>
      gateway.judges(
        [
          '{"type":"keepalive"',
          '{"type":"keepalive",}',
          "{'type':'keepalive'}",
          '{type:"keepalive"}',
          `${ALIVE}x`,
          `${ALIVE}${ALIVE}`,
          '{"type":"keepalive","a":01}',
          '{"type":"keepalive","a":1.}',
          '{"type":"keepalive","a":+1}',
          '{"type":"keepalive","a":NaN}',
          '{"type":"keepalive","a":tru}',
          '{"type":"keepalive","a":"\t"}',
          '{"type":"keepalive","a":"\\x41"}',
          '{"type":"keepalive","a":"\\u12g4"}',
          '{"type":"keepalive","a":[1,]}',
          '{"type":"keepalive" /* a */}',
          '{"type":"keepalive","a":{"b":1}',
        ].map((line) => ({ line, verdict: 'invalid_json' })),
      ),
  },
  {
    id: 'lines.unknown_fields',
    section,
    says: 'Top-level fields that the page does not name are ignored, whatever valid JSON they hold, to any depth.',
    check: async (gateway) => {
      const deep = '['.repeat(1000) + ']'.repeat(1000);
      const device = await gateway.identified({ firmware: { version: [1, 2, null] } });
      await device.send(`{"x":${deep},"type":"keepalive","y":{"":{"a":-1e-9}}}\n`).expect('alive');
      await device
        .send(`{"type":"metrics","seq":1,"x":"\\ud800","data":{${gateway.required}"a":1}}\n`)
        .stored(1);
    },
  },
  {
    id: 'lines.duplicate_keys',
    section,
    says: 'A top-level key that appears twice is refused, also if it is an ignored one or written with escapes.',
    isRelaxedByGo: true,
    check: (gateway) =>
      gateway.judges([
        { line: '{"type":"keepalive","type":"keepalive"}', verdict: 'invalid_message' },
        { line: '{"type":"keepalive","x":1,"x":1}', verdict: 'invalid_message' },
        { line: '{"type":"keepalive","typ\\u0065":"keepalive"}', verdict: 'invalid_message' },
        {
          line: `{"type":"metrics","data":{${gateway.required}"a":1},"data":{"a":1}}`,
          verdict: 'invalid_message',
        },
      ]),
  },
  {
    id: 'lines.ignored_content',
    section,
    says: 'What an ignored field holds is not looked at: a name may be in it twice.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send('{"type":"keepalive","x":{"a":1,"a":2}}\n').expect('alive');
    },
  },
  {
    id: 'lines.longest',
    section,
    says: 'A line may have TCP_MAX_LINE_BYTES bytes without LF and the CR before it.',
    check: async (gateway) => {
      const { maxLineBytes } = gateway.options;
      const device = await gateway.identified();
      await device
        .send(`${longAlive(maxLineBytes)}\n${longAlive(maxLineBytes)}\r\n`)
        .expect('alive', 'alive');
    },
  },
  {
    id: 'lines.too_long',
    section,
    says: 'A line of one byte more ends the connection with `line_too_long`.',
    check: async (gateway) => {
      const device = await gateway.identified();
      await device.send(`${longAlive(gateway.options.maxLineBytes + 1)}\n`).expect('line_too_long');
      await device.closed();
    },
  },
  {
    id: 'lines.too_long_without_end',
    section,
    says: '`line_too_long` comes as soon as the gateway has too many bytes of the line.',
    check: async (gateway) => {
      const device = await gateway.identified();
      // A CR may be the one that is ignored, so the byte behind the limit is another.
      await device.send(longAlive(gateway.options.maxLineBytes + 2).slice(0, -1)).expect('line_too_long');
      await device.closed();
    },
  },
  {
    id: 'lines.longest_first',
    section,
    says: 'Before identify a line may have 8 KiB, or TCP_MAX_LINE_BYTES if that is less.',
    check: async (gateway) => {
      const bytes = maxFirstLineBytes(gateway);
      const pad = bytes - Buffer.byteLength(gateway.identify({ pad: '' }));
      const device = await gateway.connect();
      await device.send(`${gateway.identify({ pad: 'x'.repeat(pad) })}\n`).expect('identified');
    },
  },
  {
    id: 'lines.first_too_long',
    section,
    says: 'Before identify a line of one byte more ends the connection with `line_too_long`.',
    check: async (gateway) => {
      const bytes = maxFirstLineBytes(gateway);
      const pad = bytes + 1 - Buffer.byteLength(gateway.identify({ pad: '' }));
      const device = await gateway.connect();
      await device.send(`${gateway.identify({ pad: 'x'.repeat(pad) })}\n`).expect('line_too_long');
      await device.closed();
    },
  },
  {
    id: 'lines.never_ended',
    section: 'Limits and timers',
    says: 'A line that does not end within TCP_LINE_TIMEOUT ends the connection with `line_timeout`.',
    isSlow: true,
    check: async (gateway) => {
      const device = await gateway.identified();
      device.send('{"type":');
      device.waitLonger(gateway.options.lineTimeoutMs);
      await device.expect('line_timeout');
      await device.closed();
    },
  },
];
