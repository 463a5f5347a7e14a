// A TCP proxy before a broker, for faults of the connection: nobody listens until listen(), and it can swallow the
// answer to a Produce request that the broker has carried out.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { FrameSplitter, PRODUCE, requestHead } from '../../scripts/kafka/frames.ts';
import { freePort } from '../../scripts/kafka/ports.ts';

export class TcpProxy {
  readonly port: number;
  /** Number of swallowed answers to Produce requests, each with a reset of its connection. */
  swallowed = 0;
  /** True for the answers to swallow, by the number of the Produce request, from 1. */
  swallows: (produceNumber: number) => boolean = () => false;
  #produced = 0;
  #target = { host: '', port: 0 };
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Map<string, number>();

  private constructor(port: number) {
    this.port = port;
  }

  /** Connections of the client with this id so far. Other programs may know the port, because they used it before. */
  connectionsOf(clientId: string): number {
    return this.#connections.get(clientId) ?? 0;
  }

  /** Reserves a port without listening on it. @param target host:port, or a list of which the first counts */
  static async reserve(target?: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(await freePort());
    if (target !== undefined) proxy.aim(target);
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  aim(target: string): void {
    const [first = ''] = target.split(',');
    const colon = first.lastIndexOf(':');
    this.#target = { host: first.slice(0, colon), port: Number(first.slice(colon + 1)) };
  }

  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#join(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    const broker = connect({ ...this.#target, noDelay: true });
    // The Produce request that awaits its answer on this connection.
    let doomed = false;
    const requests = new FrameSplitter();
    client.once('data', (chunk) => {
      const id = clientIdOf(chunk);
      this.#connections.set(id, this.connectionsOf(id) + 1);
    });
    client.on('data', (chunk) => {
      for (const request of requests.push(chunk))
        if (requestHead(request).apiKey === PRODUCE) doomed = this.swallows(++this.#produced);
      broker.write(chunk);
    });
    broker.on('data', (chunk) => {
      if (!doomed) {
        client.write(chunk);
        return;
      }
      this.swallowed++;
      client.resetAndDestroy();
      broker.destroy();
    });
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}

/** The client id in a first request that came in one piece: after size, API key, version and correlation id. */
function clientIdOf(request: Buffer): string {
  if (request.length < 14) return '';
  return request.subarray(14, 14 + request.readInt16BE(12)).toString();
}
