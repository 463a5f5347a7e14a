// The networks of TCP_PROXY_TRUSTED: tells whether a peer may send PROXY headers.
import { BlockList, isIPv4, isIPv6 } from 'node:net';

const BITS = { ipv4: 32, ipv6: 128 } as const;

export class TrustedNetworks {
  readonly #networks = new BlockList();

  /** @param networks addresses or CIDR ranges, as the kind of the setting has checked them */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      this.#networks.addSubnet(address, Number(prefix ?? BITS[family]), family);
    }
  }

  /** @param address of a peer, as Node gives it: an IPv4 peer of a socket for IPv6 counts as IPv4 */
  has(address: string): boolean {
    return this.#networks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}
