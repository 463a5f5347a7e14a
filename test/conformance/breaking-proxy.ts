// Stands between the conformance script and a real gateway, and breaks chosen promises on the way: it changes lines of
// the device, replies of the gateway, or the ends of connections. Without a fault it passes bytes through.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** A reply, parsed. */
export type ReplyFields = Record<string, unknown>;

/** Each function is made for one connection, so it may keep a state. Latin-1 texts, so that bytes stay as they are. */
export interface Fault {
  /** A line of the device without LF; the lines that the gateway gets in its place. */
  readonly up?: () => (line: string) => readonly string[];
  /** A packet of the device, before lines are looked for. */
  readonly packet?: (text: string) => string;
  /** A reply; the lines that the device gets in its place. */
  readonly down?: () => (reply: ReplyFields) => readonly (ReplyFields | string)[];
  /** The device's FIN. `cut` ends the connection at once, `drop` only loses a line that has no LF. */
  readonly onFin?: 'cut' | 'drop';
  /** The gateway's FIN is kept from the device. */
  readonly neverCloses?: boolean;
  /** The gateway's connection ends behind such a reply. */
  readonly closesAfter?: (reply: ReplyFields) => boolean;
}

/** A line that is not finished goes on when it has so many bytes, so that the gateway can refuse it. */
const MAX_HELD_BYTES = 70_000;

/** @returns the port */
export async function breakingProxy(t: TestContext, port: number, fault: Fault): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (device) => {
    const gateway = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const [socket, other] of [
      [device, gateway],
      [gateway, device],
    ] as const) {
      sockets.add(socket);
      socket.setEncoding('latin1');
      socket.on('error', () => other.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    passUp(device, gateway, fault);
    passDown(gateway, device, fault);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function passUp(device: Socket, gateway: Socket, fault: Fault): void {
  const change = fault.up?.();
  const isByLine = change !== undefined || fault.onFin === 'drop';
  let rest = '';
  device.on('data', (chunk: string) => {
    const text = fault.packet?.(chunk) ?? chunk;
    if (!isByLine) {
      gateway.write(text, 'latin1');
      return;
    }
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    const changed = lines.flatMap((line) => change?.(line) ?? [line]);
    gateway.write(changed.map((line) => `${line}\n`).join(''), 'latin1');
    if (rest.length > MAX_HELD_BYTES) {
      gateway.write(rest, 'latin1');
      rest = '';
    }
  });
  device.on('end', () => {
    if (fault.onFin === 'cut') {
      gateway.destroy();
      device.destroy();
      return;
    }
    if (fault.onFin !== 'drop' && rest !== '') gateway.write((change?.(rest) ?? [rest]).join('\n'), 'latin1');
    gateway.end();
  });
}

function passDown(gateway: Socket, device: Socket, fault: Fault): void {
  const change = fault.down?.();
  let rest = '';
  gateway.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const reply = JSON.parse(line) as ReplyFields;
      for (const one of change?.(reply) ?? [line])
        device.write(`${typeof one === 'string' ? one : JSON.stringify(one)}\n`, 'latin1');
      if (fault.closesAfter?.(reply)) {
        device.end();
        gateway.destroy();
        return;
      }
    }
  });
  gateway.on('end', () => {
    if (!fault.neverCloses) device.end();
  });
}
