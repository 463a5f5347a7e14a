// Runs a TCP proxy that adds a round trip, as between a far device and the gateway. It holds so many bytes that it does
// not limit the throughput, and stops reading above that.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Lane } from './lane.ts';

/** With a round trip of 100 ms, 160 MB a second in each direction. */
const MAX_BYTES = 8 * 2 ** 20;
const RESUME_BYTES = MAX_BYTES / 2;
const RESUME_POLL_MS = 1;

export class DelayProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Resolves when the proxy listens on a port of 127.0.0.1. */
  static async before(target: { readonly port: number }, roundTripMs: number): Promise<DelayProxy> {
    const proxy = new DelayProxy(target.port, roundTripMs / 2);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  private constructor(port: number, delayMs: number) {
    const quality = { delayMs, rate: 0 };
    const options = { noDelay: true, allowHalfOpen: true } as const;
    this.#server = createServer(options, (near) => {
      const far = connect({ port, host: '127.0.0.1', ...options });
      this.#join(near, far, new Lane(quality, far));
      this.#join(far, near, new Lane(quality, near));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket, lane: Lane): void {
    this.#sockets.add(from);
    from.on('data', (bytes: Buffer) => {
      lane.send(bytes);
      if (lane.bytes > MAX_BYTES) pauseUntil(from, () => lane.bytes < RESUME_BYTES);
    });
    from.on('end', () => endAfter(lane, to));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      if (from.errored) lane.close();
    });
  }
}

function pauseUntil(socket: Socket, isReady: () => boolean): void {
  if (socket.isPaused()) return;
  socket.pause();
  const timer = setInterval(() => {
    if (!socket.destroyed && !isReady()) return;
    clearInterval(timer);
    socket.resume();
  }, RESUME_POLL_MS);
}

/** Sends the FIN after the bytes that are under way. */
function endAfter(lane: Lane, to: Socket): void {
  const timer = setInterval(() => {
    if (!to.destroyed && lane.bytes > 0) return;
    clearInterval(timer);
    to.end();
  }, RESUME_POLL_MS);
}
