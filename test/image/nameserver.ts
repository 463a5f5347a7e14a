// A DNS server in the network namespace of a pod. It knows one name, which has the address 127.0.0.1, and no other.
// Usage: nameserver.js NAME
import { createSocket } from 'node:dgram';

const HEADER_BYTES = 12;
const TYPE_A = 1;
const known = process.argv[2];

const server = createSocket('udp4', (query, { address, port }) => {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(HEADER_BYTES, at + 5);
  const isKnown = labels.join('.').toLowerCase() === known;
  const hasAddress = isKnown && query.readUInt16BE(at + 1) === TYPE_A;
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  // An answer, recursion is there; code 3 = there is no such name.
  header.writeUInt16BE(0x8180 | (isKnown ? 0 : 3), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(hasAddress ? 1 : 0, 6);
  const record = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1]);
  server.send(Buffer.concat([header, question, ...(hasAddress ? [record] : [])]), port, address);
});
// It ends with the test, however the test ends.
process.stdin.on('close', () => process.exit()).resume();
server.bind(53, '127.0.0.1', () => console.log('listens'));
