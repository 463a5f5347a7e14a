// A far device's way to the gateway: a plain TCP proxy with a round trip of its own. It holds so much under way
// that never the proxy is what limits throughput, and beyond it stops reading as a full path would.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Lane } from './lane.ts';

/** At 100 ms round trip 160 MB a second in each direction. */
const MOST_BYTES = 8 * 2 ** 20;
const RESUME_BYTES = MOST_BYTES / 2;
const RESUME_POLL_MS = 1;

export class DelayProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Resolves once it listens on a port of 127.0.0.1. */
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
      if (lane.bytes > MOST_BYTES) pauseUntil(from, () => lane.bytes < RESUME_BYTES);
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

/** Ends the connection after all bytes in flight were passed on. */
function endAfter(lane: Lane, to: Socket): void {
  const timer = setInterval(() => {
    if (!to.destroyed && lane.bytes > 0) return;
    clearInterval(timer);
    to.end();
  }, RESUME_POLL_MS);
}
