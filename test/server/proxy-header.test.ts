// The parser of PROXY headers, held to the specification. haproxy.slow.test.ts asks HAProxy for a second opinion.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ProxyFault } from '../../src/protocol/proxy-results.ts';
import { parseProxyHeader } from '../../src/server/proxy-header.ts';
import * as headers from '../support/proxy-headers.ts';

const { v2, block4, block6, tlv, withChecksum, LOCAL, TCP4, TCP6 } = headers;
const LINES = '{"type":"identify"}\n';
const SOURCE6 = '20010db8000000000000000000000007';
const ip4 = block4('203.0.113.7');

/** The first verdict that is none of `incomplete` when the bytes come one by one, and how many had come. */
function byteByByte(bytes: Buffer): { verdict: ReturnType<typeof parseProxyHeader>; after: number } {
  for (let after = 0; ; after++) {
    const verdict = parseProxyHeader(bytes.subarray(0, after));
    if (verdict.state !== 'incomplete' || after === bytes.length) return { verdict, after };
  }
}

const ACCEPTED: readonly (readonly [name: string, bytes: Buffer | string, source: string | undefined])[] = [
  ['v1 of the specification', 'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n', '192.168.0.1'],
  [
    'the longest v1 over IPv4',
    'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    '255.255.255.255',
  ],
  ['v1 with ports 0', 'PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n', '1.2.3.4'],
  ['v1 over IPv6', 'PROXY TCP6 2001:DB8:0:0::7 ::1 1 2\r\n', '2001:db8::7'],
  [
    'the longest v1 over IPv6',
    `PROXY TCP6 ${Array(8).fill('ffff').join(':')} ${Array(8).fill('ffff').join(':')} 65535 65535\r\n`,
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  ],
  ['v1 with an IPv4 address mapped into IPv6', 'PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n', '::ffff:1.2.3.4'],
  ['a short v1 UNKNOWN', 'PROXY UNKNOWN\r\n', undefined],
  ['v1 UNKNOWN with anything behind it', 'PROXY UNKNOWN so what \x00\xff ::: 1\r\n', undefined],
  ['the longest v1', `PROXY UNKNOWN ${'f'.repeat(91)}\r\n`, undefined],
  ['v2 over IPv4', v2({ family: TCP4, body: ip4 }), '203.0.113.7'],
  ['v2 over IPv6', v2({ family: TCP6, body: block6(SOURCE6) }), '2001:db8::7'],
  [
    'v2 with an IPv4 address mapped into IPv6',
    v2({ family: TCP6, body: block6(`${'0'.repeat(20)}ffffcb007107`) }),
    '::ffff:203.0.113.7',
  ],
  [
    'v2 with TLVs, known, unknown and empty',
    v2({
      family: TCP4,
      body: Buffer.concat([
        ip4,
        tlv(1, Buffer.from('h2')),
        tlv(4, Buffer.alloc(0)),
        tlv(0xea, Buffer.alloc(300)),
      ]),
    }),
    '203.0.113.7',
  ],
  [
    'v2 of the largest size',
    v2({ family: TCP4, body: Buffer.concat([ip4, tlv(4, Buffer.alloc(4096 - 16 - 12 - 3))]) }),
    '203.0.113.7',
  ],
  ['v2 with its checksum', withChecksum({ family: TCP4, body: ip4 }), '203.0.113.7'],
  ['v2 with a checksum over IPv6', withChecksum({ family: TCP6, body: block6(SOURCE6) }), '2001:db8::7'],
  ['v2 of an unknown protocol', v2({ family: 0 }), undefined],
  ['v2 of an unknown protocol with bytes', v2({ family: 0, body: Buffer.alloc(50, 0xaa) }), undefined],
  ['v2 over AF_UNIX', v2({ family: 0x31, body: Buffer.alloc(216, '/') }), undefined],
  ['v2 over UDP', v2({ family: 0x12, body: ip4 }), undefined],
  ['v2 with a family and no transport', v2({ family: 0x10, body: Buffer.alloc(3) }), undefined],
  ['v2 with a transport and no family', v2({ family: 0x01 }), undefined],
];

describe('a PROXY header is accepted:', () => {
  for (const [name, text, source] of ACCEPTED)
    it(name, () => {
      const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
      const expected = {
        state: 'complete',
        version: typeof text === 'string' ? 1 : 2,
        length: bytes.length,
        isLocal: false,
        source,
      };
      assert.deepEqual(byteByByte(bytes), { verdict: expected, after: bytes.length });
      const withLines = Buffer.concat([bytes, Buffer.from(LINES)]);
      assert.deepEqual(parseProxyHeader(withLines), expected);
    });

  for (const [name, family, body] of [
    ['without a block', 0, Buffer.alloc(0)],
    ['with addresses, which do not count', TCP4, ip4],
    ['with any family', 0xff, Buffer.alloc(7)],
    ['with fewer bytes than its family needs', TCP6, Buffer.alloc(1)],
  ] as const)
    it(`LOCAL ${name}`, () => {
      const bytes = v2({ command: LOCAL, family, body });
      const { verdict } = byteByByte(Buffer.concat([bytes, Buffer.from(LINES)]));
      const facts = { length: bytes.length, isLocal: true, source: undefined };
      assert.deepEqual(verdict, { state: 'complete', version: 2, ...facts });
    });
});

/** `after` is the number of bytes that have to suffice for the refusal. */
const REFUSED: readonly (readonly [name: string, bytes: Buffer | string, ProxyFault, after: number])[] = [
  ['a line of a device', '{"type":"identify"}\n', 'missing', 1],
  ['TLS', '\x16\x03\x01', 'missing', 1],
  ['a word that begins like PROXY', 'PROXI TCP4', 'missing', 5],
  ['small letters', 'proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n', 'missing', 1],
  ['no space', 'PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n', 'missing', 6],
  ['two spaces', 'PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed', 33],
  ['two spaces further on', 'PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n', 'malformed', 33],
  ['a space at the end', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n', 'malformed', 33],
  ['a tab', 'PROXY TCP4\t1.2.3.4 5.6.7.8 1 2\r\n', 'malformed', 32],
  ['LF without CR', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n', 'malformed', 31],
  ['CR without LF', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r{', 'malformed', 32],
  ['UNKNOWN that ends with LF', 'PROXY UNKNOWN\n{}\r\n', 'malformed', 14],
  ['a word behind UNKNOWN', 'PROXY UNKNOWNS\r\n', 'malformed', 16],
  ['no protocol', 'PROXY \r\n', 'malformed', 8],
  ['UDP4', 'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed', 32],
  ['TCP5', 'PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n', 'malformed', 32],
  ['TCP4 alone', 'PROXY TCP4\r\n', 'malformed', 12],
  ['TCP4 with three fields', 'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n', 'malformed', 30],
  ['TCP4 with five fields', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n', 'malformed', 34],
  ['TCP4 with a zero in front', 'PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n', 'malformed', 33],
  ['TCP4 with 256', 'PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n', 'malformed', 34],
  ['TCP4 with three numbers', 'PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n', 'malformed', 30],
  ['TCP4 with an IPv6 address', 'PROXY TCP4 ::1 5.6.7.8 1 2\r\n', 'malformed', 28],
  ['TCP4 with a broken destination', 'PROXY TCP4 1.2.3.4 5.6.7 1 2\r\n', 'malformed', 30],
  ['TCP6 with an IPv4 address', 'PROXY TCP6 1.2.3.4 ::1 1 2\r\n', 'malformed', 28],
  ['TCP6 with a zone', 'PROXY TCP6 fe80::1%lo ::1 1 2\r\n', 'malformed', 31],
  ['TCP6 with two gaps', 'PROXY TCP6 1::2::3 ::1 1 2\r\n', 'malformed', 28],
  ['TCP6 with nine groups', 'PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n', 'malformed', 38],
  ['a port of 65536', 'PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n', 'malformed', 36],
  ['a port with a zero in front', 'PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n', 'malformed', 33],
  ['a port with a sign', 'PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n', 'malformed', 33],
  ['a host name', 'PROXY TCP4 localhost 5.6.7.8 1 2\r\n', 'malformed', 34],
  ['a line of 108 bytes', `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`, 'too_long', 107],
  ['a line without an end', `PROXY TCP4 ${'1'.repeat(500)}`, 'too_long', 107],
  ['half of the signature and more', '\r\n\r\n\0\r\nQUIX\n', 'missing', 11],
  ['empty lines', '\r\n\r\n\r\n', 'missing', 5],
  ['version 1 in the form of version 2', v2({ command: 0x11 }), 'malformed', 13],
  ['version 3', v2({ command: 0x31 }), 'malformed', 13],
  ['an unknown command', v2({ command: 0x22 }), 'malformed', 13],
  ['an unknown family', v2({ family: 0x41 }), 'malformed', 14],
  ['an unknown transport', v2({ family: 0x13 }), 'malformed', 14],
  ['IPv4 with 11 bytes', v2({ family: TCP4, body: ip4.subarray(0, 11) }), 'malformed', 16],
  ['IPv4 with no bytes', v2({ family: TCP4 }), 'malformed', 16],
  ['IPv6 with 35 bytes', v2({ family: TCP6, body: Buffer.alloc(35) }), 'malformed', 16],
  ['AF_UNIX with 215 bytes', v2({ family: 0x31, body: Buffer.alloc(215) }), 'malformed', 16],
  ['UDP with 11 bytes', v2({ family: 0x12, body: Buffer.alloc(11) }), 'malformed', 16],
  ['a header of 4,097 bytes', v2({ family: TCP4, body: Buffer.alloc(4081) }), 'too_long', 16],
  ['a length of 65,535', v2({ family: 0, length: 65_535 }), 'too_long', 16],
  ['LOCAL with a length of 65,535', v2({ command: LOCAL, length: 65_535 }), 'too_long', 16],
  ['a TLV that is longer than the header', lying(tlv(4, Buffer.alloc(3), 4)), 'malformed', 34],
  ['a TLV without its length', lying(Buffer.of(4, 0)), 'malformed', 30],
  ['a checksum of 3 bytes', lying(tlv(3, Buffer.alloc(3))), 'malformed', 34],
  ['a wrong checksum', lying(tlv(3, Buffer.from('abcd'))), 'wrong_checksum', 35],
  ['a checksum of another address', otherAddress(), 'wrong_checksum', 35],
];

/** A header over IPv4 with these TLVs. */
function lying(tlvs: Buffer): Buffer {
  return v2({ family: TCP4, body: Buffer.concat([ip4, tlvs]) });
}

function otherAddress(): Buffer {
  const header = withChecksum({ family: TCP4, body: ip4 });
  header[19] = 8;
  return header;
}

describe('a PROXY header is refused:', () => {
  for (const [name, text, fault, after] of REFUSED)
    it(name, () => {
      const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
      assert.deepEqual(byteByByte(bytes), { verdict: { state: 'refused', fault }, after });
      assert.deepEqual(parseProxyHeader(bytes), { state: 'refused', fault });
    });
});

describe('any bytes', () => {
  const beginnings = ACCEPTED.map(([, text]) =>
    typeof text === 'string' ? Buffer.from(text, 'latin1') : text,
  );
  const mutated = fc
    .tuple(fc.constantFrom(...beginnings), fc.nat(), fc.nat(255), fc.uint8Array({ maxLength: 20 }))
    .map(([bytes, at, byte, more]) => {
      const copy = Buffer.concat([bytes, more]);
      copy[at % bytes.length] = byte;
      return copy;
    });

  it('get one verdict, however they are cut, and it never changes with what follows', () => {
    fc.assert(
      fc.property(mutated, fc.uint8Array({ maxLength: 200 }), (bytes, rest) => {
        const { verdict, after } = byteByByte(bytes);
        if (verdict.state === 'incomplete') return;
        assert.ok(after <= 4096);
        assert.deepEqual(parseProxyHeader(Buffer.concat([bytes.subarray(0, after), rest])), verdict);
        if (verdict.state === 'complete') assert.equal(verdict.length, after);
      }),
      { numRuns: 2000 },
    );
  });

  it('of an address give the address back', () => {
    const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }).map((list) => list.join('.'));
    fc.assert(
      fc.property(octets, (address) => {
        for (const header of [headers.v1(address), v2({ family: TCP4, body: block4(address) })]) {
          const verdict = parseProxyHeader(header);
          assert.equal(verdict.state === 'complete' && verdict.source, address);
        }
      }),
    );
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const verdict = parseProxyHeader(headers.v1(address, '::1'));
        assert.ok(verdict.state === 'complete' && verdict.source !== undefined);
        const again = parseProxyHeader(headers.v1(verdict.source, '::1'));
        assert.equal(again.state === 'complete' && again.source, verdict.source);
      }),
    );
  });
});
