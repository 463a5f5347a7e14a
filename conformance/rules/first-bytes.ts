// Rules on connections that begin with another protocol.
import type { Rule } from '../rule.ts';

const section = 'Lines';
const LATIN1 = 'latin1';

/** Each beginning on a connection of its own. The lines behind it would be answered if the gateway read on. */
const BEGINNINGS: readonly (readonly [id: string, about: string, beginnings: readonly string[]])[] = [
  [
    'http',
    'a request of HTTP, in any case',
    ['GET / HTTP/1.1\r\n\r\n', 'post / HTTP/1.1\r\n\r\n', 'PUT /\r\n'],
  ],
  ['tls', '`16 03` (TLS)', ['\x16\x03\x01\x02\x00\x01\x00']],
  ['ssh', '`SSH-`', ['SSH-2.0-OpenSSH_9.6\r\n']],
  ['smb', '`SMB` behind FF, FE or FD', ['\xffSMBr\0\0\0', '\xfeSMB@\0\0\0', '\0\0\0\x45\xfeSMB@\0\0\0']],
  ['proxy', 'a PROXY header', ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c']],
];

export const FIRST_BYTES_RULES: readonly Rule[] = [
  ...BEGINNINGS.map(
    ([id, about, beginnings]) =>
      ({
        id: `first_bytes.${id}`,
        section,
        says: `A connection that begins with ${about} is closed with \`wrong_protocol\`.`,
        check: async (gateway) => {
          for (const text of beginnings) {
            const device = await gateway.connect();
            await device.send(Buffer.from(`${text}\n{"type":"x"}\n`, LATIN1)).expect('wrong_protocol');
            await device.closed();
          }
        },
      }) satisfies Rule,
  ),
  {
    id: 'first_bytes.request_line',
    section,
    says: 'Before identify a line that begins a request of HTTP, RTSP, SIP or ICAP is `wrong_protocol` too.',
    check: async (gateway) => {
      for (const text of [
        'GET / HTTP/1.1',
        ' FROBNICATE /x HTTP/1.1',
        'OPTIONS sip:a SIP/2.0',
        'X rtsp://a RTSP/1.0',
      ]) {
        const device = await gateway.connect();
        await device.send(`hello\n${text}\r\n\r\n`).expect('invalid_json', 'wrong_protocol');
        await device.closed();
      }
    },
  },
  {
    id: 'first_bytes.of_a_device',
    section,
    says: 'A connection that begins like another protocol and goes on otherwise may still identify.',
    check: async (gateway) => {
      for (const text of ['getting started\n', '\x16\n', '\r\n\r\n']) {
        const device = await gateway.connect();
        device.send(Buffer.from(`${text}${gateway.identify()}\n`, 'utf8'));
        const refused = text.split('\n').length - 1;
        await device.expect(...Array<string>(refused).fill('invalid_json'), 'identified');
      }
    },
  },
  {
    id: 'first_bytes.after_identify',
    section,
    says: 'After identify such a line is `invalid_json`, and the connection goes on.',
    check: (gateway) =>
      gateway.judges(
        ['GET / HTTP/1.1', 'SSH-2.0-x', '\x16\x03\x01'].map((line) => ({ line, verdict: 'invalid_json' })),
      ),
  },
];
