// A proxy between devices and gateway that damages lines with readings, as a broken gateway would damage their records.
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Returns the lines to send instead of line `number` with readings, counted from 0 on each connection. All with LF. */
export type Harm = (line: Buffer, number: number) => Buffer[];

export class LineProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(port: number, harmOf: () => Harm): Promise<LineProxy> {
    const proxy = new LineProxy(port, harmOf);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  private constructor(port: number, harmOf: () => Harm) {
    this.#server = createServer({ allowHalfOpen: true }, (device) => this.#join(device, port, harmOf()));
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(device: Socket, port: number, harm: Harm): void {
    const gateway = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let rest = Buffer.alloc(0);
    let number = 0;
    device.on('data', (chunk: Buffer) => {
      const bytes = Buffer.concat([rest, chunk]);
      let from = 0;
      for (let end = bytes.indexOf(10) + 1; end > 0; end = bytes.indexOf(10, from) + 1) {
        const line = bytes.subarray(from, end);
        from = end;
        const lines = line.includes('due_us') ? harm(line, number++) : [line];
        for (const one of lines) gateway.write(one);
      }
      rest = bytes.subarray(from);
    });
    gateway.on('data', (chunk: Buffer) => device.write(chunk));
    device.on('end', () => gateway.end());
    gateway.on('end', () => device.end());
    for (const [socket, other] of [
      [device, gateway],
      [gateway, device],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
    }
  }
}
