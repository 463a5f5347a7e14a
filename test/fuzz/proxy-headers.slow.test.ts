// PROXY headers, true ones and damaged ones, are judged by HAProxy's own parser too. Its authors wrote the specification.
// The request behind each header is answered with the address that HAProxy took from it.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { parseProxyHeader } from '../../src/server/proxy-header.ts';
import { Random } from '../chaos/random.ts';
import { Haproxy, hasHaproxy } from '../support/haproxy.ts';
import {
  block4,
  block6,
  LOCAL,
  PROXY,
  TCP4,
  TCP6,
  tlv,
  v1,
  v2,
  withChecksum,
} from '../support/proxy-headers.ts';

const CASES = 4000;
const AT_ONCE = 50;
const REQUEST = Buffer.from('GET / HTTP/1.0\r\n\r\n');
/** The peer of HAProxy, and so the address of a header that names none. */
const PEER = '127.0.0.9';

function header(random: Random): Buffer {
  const byte = () => random.between(0, 255);
  const ip4 = Array.from({ length: 4 }, byte).join('.');
  const ip6 = Array.from({ length: 8 }, () => random.pick([0, 0, random.between(0, 0xffff)]).toString(16));
  const text6 = random.pick([ip6.join(':'), `${ip6[0]}::${ip6[7]}`, `::ffff:${ip4}`, '::1']);
  const tlvs = Array.from({ length: random.pick([0, 0, 1, 3]) }, () =>
    tlv(random.pick([1, 2, 4, 5, 0x20, 0xea]), Buffer.alloc(random.pick([0, 1, 5, 120]), byte())),
  );
  const hex6 = ip6.map((group) => group.padStart(4, '0')).join('');
  const [family, block] = random.pick([
    [TCP4, block4(ip4)],
    [TCP6, block6(hex6)],
  ] as const);
  const body = Buffer.concat([block, ...tlvs]);
  return random.pick([
    () => v1(ip4),
    () => v1(text6, '::1'),
    () => Buffer.from('PROXY UNKNOWN\r\n'),
    () => v2({ family, body }),
    () => withChecksum({ family, body }),
    () =>
      v2({
        command: LOCAL,
        family: random.pick([0, TCP4, byte()]),
        body: Buffer.alloc(random.pick([0, 12, 40])),
      }),
    () => v2({ command: random.pick([PROXY, byte()]), family: byte(), body }),
    () => v2({ family, body, length: (body.length + random.pick([-20, -12, -1, 1, 3, 9, 300])) & 0xffff }),
  ])();
}

function damaged(bytes: Buffer, random: Random): Buffer {
  const at = random.between(0, bytes.length - 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  const inserted = Buffer.from(
    random.pick(['0', '1', '9', ' ', '.', ':', '\r', '\n', '\r\n', '\0', 'f', '%', 'PROXY ']),
  );
  return random.pick([
    () => Buffer.concat([before, Buffer.of(random.between(0, 255)), after.subarray(1)]),
    () =>
      Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << random.between(0, 7))), after.subarray(1)]),
    () => Buffer.concat([before, inserted, after]),
    () => Buffer.concat([before, after.subarray(random.between(1, 4))]),
    () => before,
  ])();
}

/** The address of the answer; undefined if there is none, because the header or the request behind it was refused. */
function askHaproxy(port: number, bytes: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: PEER });
    let answer = '';
    socket.setEncoding('latin1').on('data', (text) => {
      answer += text;
    });
    // HAProxy resets refused connections.
    socket.on('error', () => {});
    socket.on('close', () => resolve(/^HTTP\/1\.\d 200 .*\r\n\r\n(.*)$/s.exec(answer)?.[1]));
    socket.end(Buffer.concat([bytes, REQUEST]));
  });
}

/**
 * HAProxy takes 01.2.3.256 for an address and 70000 for a port. In TCP6 it does not count spaces and zero bytes, and takes
 * `19n21.40.240` for a destination.
 */
const CARELESS = /^PROXY TCP(?:4[\d.a-f: \0]+|6[\d.a-f: \0]+[!-~]?[\d.a-f: \0]+)\r\n/i;

/** Undefined if both agree, as far as the specification decides. */
function disagreement(bytes: Buffer, theirs: string | undefined): string | undefined {
  const ours = parseProxyHeader(Buffer.concat([bytes, REQUEST]));
  if (ours.state !== 'complete') {
    const isKnown =
      ours.state === 'refused' && (ours.fault === 'too_long' || CARELESS.test(bytes.toString('latin1')));
    return theirs === undefined || isKnown ? undefined : `refused here, ${theirs} there`;
  }
  const address = ours.source ?? PEER;
  if (theirs !== undefined) return theirs === address ? undefined : `${address} here, ${theirs} there`;
  // A receiver is free to refuse headers that name no address of TCP. Damage behind the header spoils the request.
  const mayRefuse = (ours.source === undefined && !ours.isLocal) || ours.length !== bytes.length;
  return mayRefuse ? undefined : `${address} here, refused there`;
}

test('HAProxy takes the headers that this parser takes, for the same addresses', async (t) => {
  if (!hasHaproxy(t)) return;
  const port = await freePort();
  const answer = 'http-request return status 200 content-type text/plain lf-string "%[src]"';
  await Haproxy.start(t, `frontend judge\n  mode http\n  bind 127.0.0.1:${port} accept-proxy\n  ${answer}`);
  const given = Number(process.env.SLUICE_TEST_SEED);
  const seed = Number.isSafeInteger(given) && given > 0 ? given : Date.now() % 2 ** 31;
  const random = new Random(seed);
  const cases = Array.from({ length: CASES }, () => {
    let bytes = header(random);
    while (bytes.length > 0 && random.next() < 0.4) bytes = damaged(bytes, random);
    return bytes;
  });
  const counts = { taken: 0, refused: 0 };
  const found: string[] = [];
  const judge = async () => {
    for (let bytes = cases.pop(); bytes !== undefined; bytes = cases.pop()) {
      const theirs = await askHaproxy(port, bytes);
      counts[theirs === undefined ? 'refused' : 'taken']++;
      const problem = disagreement(bytes, theirs);
      if (problem !== undefined) found.push(`${problem}: ${bytes.toString('hex')}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, judge));
  t.diagnostic(`seed ${seed}: HAProxy took ${counts.taken} headers and refused ${counts.refused}`);
  assert.deepEqual(found.slice(0, 10), [], `SLUICE_TEST_SEED=${seed}`);
  assert.ok(counts.taken > CASES / 5 && counts.refused > CASES / 5, 'both kinds came often');
});
