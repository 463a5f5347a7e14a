// IP addresses as texts that can be compared, however they are written.
import { isIP, isIPv4, SocketAddress } from 'node:net';

const MAPPED = '::ffff:';

/** The address of a socket: IPv4 in its usual form, also if Node gives it mapped into IPv6. Cheap enough for each connection. */
export function addressText(address: string): string {
  return address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : address;
}

/** An address as a person writes it, in the form of addressText(). Undefined if it is not an address. */
export function canonicalAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version === 0) return undefined;
  if (version === 4) return text;
  // The zone stays: link-local addresses are the same on each link.
  const [plain = '', zone] = text.split('%');
  const { address } = new SocketAddress({ address: plain, family: 'ipv6' });
  return addressText(zone === undefined ? address : `${address}%${zone}`);
}

/** IPv4, IPv6, and IPv4 mapped into IPv6. False for a name. */
export function isLoopback(address: string): boolean {
  const plain = canonicalAddress(address) ?? '';
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}
