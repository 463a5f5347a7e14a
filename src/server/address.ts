// The key under which connections of one origin are counted. It never decides what an origin may do.
import { isIPv6 } from 'node:net';

const GROUPS = 8;
/** A network gives each customer at least a /64, and each host in it can take any address. */
const COUNTED_GROUPS = 4;
const MAPPED = /^(?:0{0,4}:){1,5}:?ffff:/i;

/** An IPv4 address as it is, also if it is mapped into IPv6; of an IPv6 address its /64. */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [plain = ''] = address.split('%');
  const mapped = MAPPED.test(plain) ? plain.slice(plain.lastIndexOf(':') + 1) : '';
  if (mapped.includes('.')) return mapped;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : GROUPS - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  const network = groups.slice(0, COUNTED_GROUPS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
