// A process with devices that all connect at once, identify, and wait until they are told `identified`.
import { connect, type Socket } from 'node:net';
import { serveCalls } from '../../load/processes/child.ts';

export interface StormOptions {
  readonly port: number;
  /** The number of the first device over all processes. */
  readonly first: number;
  readonly count: number;
  /** A device that is not identified by then has failed. */
  readonly timeoutMs: number;
}

export interface StormResult {
  /** From the first connect until the last device had a connection. */
  readonly connectedMs: number;
  /** From the first connect until the last of `told` devices heard `identified`. */
  readonly toldMs: number;
  readonly told: number;
  /** Why devices failed: a code of a reply or of the socket, or `no answer`. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface StormCalls {
  /** Resolves once each device was told or has failed. The connections stay open. Reports the first connection. */
  storm(options: StormOptions): Promise<StormResult>;
  /** Closes all connections. */
  leave(args: null): void;
}

/**
 * This many devices come from the usual address, whose source ports are enough for two storms. The others choose one,
 * which is slow: the kernel then looks for a free port, which takes milliseconds once many are in use.
 */
const FROM_USUAL_ADDRESS = 12_000;
const PER_ADDRESS = 4_000;
const FIRST_ADDRESS = 101;
const LOWEST_ZIPCODE = 10_000;
const ZIPCODES = 1_000;

let sockets: Socket[] = [];

const channel = serveCalls<StormCalls>({
  storm,
  leave() {
    for (const socket of sockets) socket.destroy();
    sockets = [];
  },
});

function storm({ port, first, count, timeoutMs }: StormOptions): Promise<StormResult> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const failed: Record<string, number> = {};
    let [told, waiting, connectedMs, toldMs] = [0, count, 0, 0];
    const settle = (why?: string): void => {
      if (why === undefined) {
        told++;
        toldMs = performance.now() - startMs;
      } else failed[why] = (failed[why] ?? 0) + 1;
      if (--waiting === 0) finish();
    };
    const finish = (): void => {
      clearTimeout(timer);
      if (waiting > 0) failed['no answer'] = waiting;
      resolve({ connectedMs, toldMs, told, failed });
    };
    const timer = setTimeout(finish, timeoutMs);
    for (let index = first; index < first + count; index++) {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true, ...sourceOf(index) });
      sockets.push(socket);
      let settled = false;
      const once = (why?: string): void => {
        if (settled) return;
        settled = true;
        settle(why);
      };
      socket.on('connect', () => {
        if (connectedMs === 0) channel.report('connected');
        connectedMs = performance.now() - startMs;
        socket.write(identifyOf(index));
      });
      socket.on('data', (bytes) => {
        const text = bytes.toString('latin1');
        once(
          text.includes('"identified"') ? undefined : (/"code":"(\w+)"/.exec(text)?.[1] ?? 'another reply'),
        );
      });
      socket.on('error', (error: NodeJS.ErrnoException) => once(error.code ?? 'unknown'));
      socket.on('close', () => once('closed'));
    }
  });
}

function sourceOf(index: number): { localAddress?: string } {
  const beyond = index - FROM_USUAL_ADDRESS;
  return beyond < 0 ? {} : { localAddress: `127.0.0.${FIRST_ADDRESS + Math.floor(beyond / PER_ADDRESS)}` };
}

function identifyOf(index: number): string {
  const zipcode = String(LOWEST_ZIPCODE + (index % ZIPCODES));
  return `{"type":"identify","zipcode":"${zipcode}","city":"Stormville","device_id":"storm-${index}"}\n`;
}
