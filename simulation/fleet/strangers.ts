// Peers that are no devices: they speak another protocol, say nothing, or go at once. The gateway has to send them away, and
// to serve the devices meanwhile.
import type { Socket } from 'node:net';
import { connect } from '../shims/net.ts';
import type { Random } from '../world/random.ts';
import type { World } from '../world/world.ts';

interface Kind {
  readonly name: string;
  /** Its first bytes. */
  readonly bytes: string;
  /** The code of the reply that it has to get, if any comes. */
  readonly code?: string;
  /** Ends with a reset after so many milliseconds. */
  readonly resetsAfterMs?: number;
}

const KINDS: readonly Kind[] = [
  { name: 'HTTP', bytes: 'GET / HTTP/1.1\r\nHost: gateway\r\n\r\n', code: 'wrong_protocol' },
  { name: 'TLS', bytes: '\x16\x03\x01\x02\x00\x01', code: 'wrong_protocol' },
  { name: 'a PROXY header', bytes: 'PROXY TCP4 10.0.0.9 10.0.0.1 1 2\r\n', code: 'wrong_protocol' },
  { name: 'readings without identify', bytes: '{"type":"metrics","data":{"a":1}}\n', code: 'not_identified' },
  {
    name: 'a line without an end',
    bytes: `{"type":"identify","city":"${'x'.repeat(9000)}`,
    code: 'line_too_long',
  },
  { name: 'nothing', bytes: '', code: 'identify_timeout' },
  { name: 'a reset', bytes: '', resetsAfterMs: 0 },
  { name: 'a reset within a line', bytes: '{"type":"iden', resetsAfterMs: 5 },
];
/** Replies that everybody may get. */
const OF_ALL: ReadonlySet<string> = new Set(['server_full', 'shutdown', 'draining', 'overloaded']);
/** A stranger goes by then. The gateway has to close it before, but it may be stopped or cut off. */
const PATIENCE_MS = 30_000;

export interface StrangersOptions {
  readonly world: World;
  readonly to: { readonly host: string; readonly port: number };
  readonly random: Random;
}

export class Strangers {
  readonly lies: string[] = [];
  readonly #options: StrangersOptions;
  readonly #open = new Set<Socket>();

  constructor(options: StrangersOptions) {
    this.#options = options;
  }

  come(count: number): void {
    for (let n = 0; n < count; n++) this.#come(this.#options.random.pick(KINDS));
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #come({ name, bytes, code, resetsAfterMs }: Kind): void {
    const { world, to } = this.#options;
    const { network } = world;
    const localAddress = network.addressOf('stranger');
    const socket = connect({ host: network.addressOf(to.host), port: to.port, localAddress });
    this.#open.add(socket);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#open.delete(socket);
      const lines = text.split('\n').filter((line) => line !== '');
      const right = code === undefined ? [] : [code];
      const isRight = (line: string) =>
        [...right, ...OF_ALL].some((told) => line.includes(`"code":"${told}"`));
      if (lines.length > 1 || !lines.every(isRight))
        this.lies.push(`a stranger with ${name} was told ${lines}`);
    });
    if (bytes !== '') socket.write(Buffer.from(bytes, 'latin1'));
    if (resetsAfterMs !== undefined)
      socket.once('connect', () => world.after(resetsAfterMs, () => socket.resetAndDestroy()));
    world.after(PATIENCE_MS, () => socket.destroy());
  }
}
