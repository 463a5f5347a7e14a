// A TCP proxy between a device and the gateway. It cuts each connection after a random number of bytes of one direction, in
// the middle of a line, a reply or a TLS record.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** So many connections of each device are short, even if it could finish sooner. */
const SHORT_LIVES = 4;
/** The gateway limits how often an open connection may be replaced. */
const MAX_SILENT = 3;

export class CuttingProxy {
  cuts = 0;
  /** Bytes after which a connection is cut at the latest. Infinity: it is not cut. */
  maxBytes: number;
  #silent = 0;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #random: () => number;
  readonly #sockets = new Set<Socket>();

  private constructor(targetPort: number, random: () => number, maxBytes: number) {
    this.#targetPort = targetPort;
    this.#random = random;
    this.maxBytes = maxBytes;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#join(socket));
  }

  static async listen(
    t: TestContext,
    targetPort: number,
    { random, maxBytes }: { random: () => number; maxBytes: number },
  ): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort, random, maxBytes);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    t.after(() => {
      proxy.#server.close();
      for (const socket of proxy.#sockets) socket.destroy();
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The connections of now stay open on both sides, and nothing arrives any more. */
  freeze(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  #join(device: Socket): void {
    const gateway = connect({
      port: this.#targetPort,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    const isUpward = this.#random() < 0.75;
    // Replies are shorter than messages. Some connections live longer: a hundred messages in one TLS record have to arrive
    // whole, or not at all.
    const isLong = this.cuts >= SHORT_LIVES && this.#random() < 0.25;
    const most = this.maxBytes * (isUpward ? 1 : 0.4) * (isLong ? 10 : 1);
    const limit = Math.floor((this.#random() + Number.EPSILON) * most);
    let isCut = false;
    for (const [from, to, isCounted] of [
      [device, gateway, isUpward],
      [gateway, device, !isUpward],
    ] as const) {
      let room = isCounted ? limit : Number.POSITIVE_INFINITY;
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        if (!isCut) to.destroy();
      });
      from.on('end', () => {
        if (isCut) from.destroy();
        else to.end();
      });
      from.on('data', (chunk: Buffer) => {
        if (isCut) return;
        if (room > 0) to.write(chunk.subarray(0, room));
        room -= chunk.length;
        if (room >= 0) return;
        isCut = true;
        this.#cut(device, gateway);
      });
    }
  }

  /** Both sides end, in one of several ways. */
  #cut(device: Socket, gateway: Socket): void {
    this.cuts++;
    const how = Math.floor(this.#random() * 4);
    if (how === 0) {
      reset(device);
      reset(gateway);
    } else if (how === 1 && this.#silent++ < MAX_SILENT) {
      // The gateway does not notice, so the device's next connection replaces this one.
      device.destroy();
    } else if (how === 2) {
      reset(device);
      gateway.end();
    } else {
      // The bytes that are on their way arrive.
      device.destroySoon();
      gateway.destroySoon();
    }
  }
}

/**
 * Node 20 cannot reset a socket whose FIN is waiting for the bytes before it. The handle is never closed then, and the
 * process spins at its end.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
