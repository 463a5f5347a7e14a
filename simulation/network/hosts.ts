// The machines of the network: their names, their addresses, and which process runs on which. A machine gets its address
// when somebody first names it.
import { isIP } from 'node:net';
import type { SimProcess } from '../world/sim-process.ts';
import type { World } from '../world/world.ts';

/** The machine of all simulated processes, unless place() says otherwise. */
export const GATEWAY_HOST = 'gateway';
/** The machine of the code of the simulation itself. */
const OUTSIDE_HOST = 'outside';
const ANY = new Set(['0.0.0.0', '::']);

export interface Lookup {
  readonly address: string;
  readonly family: 4 | 6;
}

/** As getaddrinfo fails. */
export class LookupError extends Error {
  override readonly name = 'Error';
  readonly syscall = 'getaddrinfo';
  readonly errno: number;
  readonly code: string;
  readonly hostname: string;

  constructor(code: 'ENOTFOUND' | 'EAI_AGAIN', hostname: string) {
    super(`getaddrinfo ${code} ${hostname}`);
    this.code = code;
    this.errno = code === 'ENOTFOUND' ? -3008 : -3001;
    this.hostname = hostname;
  }
}

export class Hosts {
  readonly #addresses = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #machines = new Map<SimProcess, string>();
  /** Names for which no answer comes: `*` stands for all. */
  readonly failing = new Set<string>();

  constructor(world: World) {
    this.place(world.outside, OUTSIDE_HOST);
    this.addressOf(GATEWAY_HOST);
  }

  /** The address of a machine, which is made if it is new. */
  addressOf(name: string): string {
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    const number = this.#addresses.size + 1;
    const address = `10.0.${number >> 8}.${number & 255}`;
    this.#addresses.set(name, address);
    this.#names.set(address, name);
    return address;
  }

  place(process: SimProcess, name: string): void {
    this.#machines.set(process, name);
    this.addressOf(name);
  }

  machineOf(process: SimProcess): string {
    return this.#machines.get(process) ?? GATEWAY_HOST;
  }

  /** The machine that an address belongs to, seen from a process. Undefined if there is none. */
  at(address: string, process: SimProcess): string | undefined {
    const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
    if (ANY.has(plain) || plain === '::1' || plain.startsWith('127.')) return this.machineOf(process);
    return this.#names.get(plain);
  }

  /** @throws LookupError */
  lookup(host: string): Lookup {
    const family = isIP(host);
    if (family === 4 || family === 6) return { address: host, family };
    if (host === 'localhost') return { address: '127.0.0.1', family: 4 };
    if (this.failing.has(host) || this.failing.has('*')) throw new LookupError('EAI_AGAIN', host);
    const address = this.#addresses.get(host);
    if (address === undefined) throw new LookupError('ENOTFOUND', host);
    return { address, family: 4 };
  }

  isAny(address: string): boolean {
    return ANY.has(address);
  }

  /** The address from which a process speaks to another one. */
  sourceFor(process: SimProcess, target: string): string {
    if (target.startsWith('127.')) return '127.0.0.1';
    if (target === '::1') return '::1';
    return this.addressOf(this.machineOf(process));
  }
}
