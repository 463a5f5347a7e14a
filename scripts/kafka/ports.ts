// Finds free TCP ports for brokers and gateways. Several processes may look at once, and a port may be used only later,
// so each one given out is claimed by a UDP socket of the same number, until this process ends.

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// Below the ports of outgoing connections (on Linux from 32768), which could take the port of a broker that restarts.
const MIN_PORT = 20_000;
const MAX_PORT = 32_000;
const HOST = '127.0.0.1';
const POLL_MS = 20;

/** A port on 127.0.0.1 without a listener, which no process that asks here has been given. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(MIN_PORT, MAX_PORT);
    if (!(await claim(port))) continue;
    if (await isFree(port)) return port;
  }
}

/** False if another process, or this one, has claimed it. */
export function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4').unref();
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: HOST, exclusive: true }, () => resolve(true));
  });
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: HOST }, () => server.close(() => resolve(true)));
  });
}

/** True if something takes connections there. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    const settle = (listens: boolean) => {
      socket.destroy();
      resolve(listens);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });
}

export interface ListenerOptions {
  readonly timeoutMs: number;
  /** The process that is to listen has ended. */
  readonly hasEnded: () => boolean;
}

/** True once something takes connections there; false if nothing does in time, or its process has ended. */
export async function untilListening(
  port: number,
  { timeoutMs, hasEnded }: ListenerOptions,
): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isListening(port))) {
    if (hasEnded() || performance.now() > deadlineMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}
