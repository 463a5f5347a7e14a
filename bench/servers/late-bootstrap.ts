// An address that leads to the first broker once it is opened, and refuses connections before. Only the bootstrap uses it,
// because brokers tell clients their own addresses.
import { connect, createServer, type Server } from 'node:net';
import { freePort } from '../../scripts/kafka/ports.ts';

export class LateBootstrap {
  readonly address: string;
  readonly #port: number;
  readonly #server: Server;

  /** @param bootstrap host:port, comma-separated */
  static async before(bootstrap: string): Promise<LateBootstrap> {
    return new LateBootstrap(await freePort(), bootstrap);
  }

  private constructor(port: number, bootstrap: string) {
    const [first = ''] = bootstrap.split(',');
    const colon = first.lastIndexOf(':');
    const broker = { host: first.slice(0, colon), port: Number(first.slice(colon + 1)) };
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
    this.#server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ ...broker, noDelay: true });
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
    });
  }

  /** From now on connections reach the broker. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
  }

  /** Open connections stay until one side closes them. */
  close(): void {
    this.#server.close();
    this.#server.unref();
  }
}
