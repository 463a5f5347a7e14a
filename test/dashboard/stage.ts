// What the tests of the dashboard share: devices that send without end, and a crowd that only stays connected.
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Device } from '../support/device.ts';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

const WAVE = 200;
const WAVE_PAUSE_MS = 10;

export interface Identity {
  readonly device_id?: string;
  readonly zipcode?: string;
  readonly city?: string;
}

export const identify = (identity: Identity = {}): string =>
  `${JSON.stringify({ type: 'identify', zipcode: '90210', city: 'Beverly Hills', ...identity })}\n`;

/** A device that has identified. It is destroyed with the test. */
export async function deviceAs(t: TestContext, port: number, identity: Identity): Promise<Device> {
  const device = await Device.connect(port);
  t.after(() => device.destroy());
  device.send(identify(identity));
  await device.readLine();
  return device;
}

/** Each of the devices sends `lines` readings every `intervalMs`, until the test ends. */
export function keepSending(
  t: TestContext,
  devices: readonly Device[],
  { lines = 5, intervalMs = 50 } = {},
): void {
  let seq = 0;
  const timer = setInterval(() => {
    const messages = Array.from({ length: lines }, () => ({
      type: 'metrics',
      seq: seq++,
      data: { temperature: 21.5 },
    }));
    for (const device of devices) if (!device.ended) device.sendMessages(...messages);
  }, intervalMs);
  t.after(() => clearInterval(timer));
}

/** No part of a connection id, which is hexadecimal. */
export const zipcodeOf = (index: number): string => `Z${10_000 + (index % 500)}`;
export const nameOf = (index: number): string => `crowd-${String(index).padStart(5, '0')}`;

/** Connections from several addresses that have identified as nameOf(0) and so on. They end with the test. */
export async function crowdOf(t: TestContext, gateway: GatewayProcess, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const before = gateway.stats.connections.identified;
  while (sockets.length < count) {
    for (const until = Math.min(count, sockets.length + WAVE); sockets.length < until; ) {
      const index = sockets.length;
      const localAddress = `127.0.0.${2 + (index % 8)}`;
      const socket = connect({ port: gateway.port, host: '127.0.0.1', localAddress });
      socket.on('error', () => socket.destroy());
      socket.resume();
      socket.write(
        identify({
          device_id: nameOf(index),
          zipcode: zipcodeOf(index),
          city: `City ${index % 97}`,
        }),
      );
      sockets.push(socket);
    }
    await sleep(WAVE_PAUSE_MS);
  }
  await waitFor(`${count} have identified`, () => gateway.stats.connections.identified >= before + count);
  return sockets;
}
