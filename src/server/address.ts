// The key under which connections of one origin are counted. It limits nothing.

const GROUPS = 8;
/** A network gives each customer at least a /64, and a host in it can take any of its addresses. */
const COUNTED_GROUPS = 4;

/**
 * The key of an address as Node gives it: the IPv4 address, also if it is mapped into IPv6 (RFC 4291, 2.5.5.2), or the /64
 * of an IPv6 address.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const groups = groupsOf(address);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join('.');
  const network = groups.slice(0, COUNTED_GROUPS).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** The eight 16-bit groups of an IPv6 address in any spelling, without its zone. */
function groupsOf(address: string): number[] {
  const [plain = ''] = address.split('%');
  const [left = [], right = []] = plain.split('::').map(listed);
  return [...left, ...Array<number>(GROUPS - left.length - right.length).fill(0), ...right];
}

function listed(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16);
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}
