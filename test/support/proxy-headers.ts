// PROXY headers as a proxy sends them, and broken ones.
import { crc32c } from '../../src/checksum/crc32c.ts';

export const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
export const LOCAL = 0x20;
export const PROXY = 0x21;
export const TCP4 = 0x11;
export const TCP6 = 0x21;

export interface V2 {
  readonly command?: number;
  /** Family and transport. */
  readonly family?: number;
  readonly body?: Buffer;
  /** The length that the header says, if it is not that of the body. */
  readonly length?: number;
}

export function v2({
  command = PROXY,
  family = 0,
  body = Buffer.alloc(0),
  length = body.length,
}: V2): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.of(command, family, length >> 8, length & 0xff), body]);
}

/** Addresses and ports of TCP over IPv4. */
export function block4(source: string, destination = '192.0.2.1'): Buffer {
  const addresses = [source, destination].flatMap((address) => address.split('.').map(Number));
  return Buffer.from([...addresses, 0x30, 0x39, 0x1f, 0x90]);
}

/** Addresses and ports of TCP over IPv6. @param source as 32 hexadecimal digits */
export function block6(source: string, destination = `20010db8${'0'.repeat(23)}1`): Buffer {
  return Buffer.concat([Buffer.from(source + destination, 'hex'), Buffer.of(0x30, 0x39, 0x1f, 0x90)]);
}

export function tlv(type: number, value: Uint8Array, length = value.length): Buffer {
  return Buffer.concat([Buffer.of(type, length >> 8, length & 0xff), value]);
}

/** A header whose last TLV is its CRC-32C. */
export function withChecksum(header: V2): Buffer {
  const zeroed = v2({
    ...header,
    body: Buffer.concat([header.body ?? Buffer.alloc(0), tlv(3, Buffer.alloc(4))]),
  });
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32c(zeroed));
  return Buffer.concat([zeroed.subarray(0, -4), sum]);
}

export function v1(source: string, destination = '192.0.2.1'): Buffer {
  const family = source.includes(':') ? 'TCP6' : 'TCP4';
  return Buffer.from(`PROXY ${family} ${source} ${destination} 12345 8080\r\n`);
}
