// A process with devices that all connect at once, identify, and wait until they are told `identified`. Then they may send
// one message each.
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

export interface SendOptions {
  readonly perSecond: number;
  /** At most the number of devices. */
  readonly messages: number;
  readonly timeoutMs: number;
}

export interface StormCalls {
  /** Resolves once each device was told or has failed. The connections stay open. Reports the first connection. */
  storm(options: StormOptions): Promise<StormResult>;
  /**
   * One message of each device in turn, at a steady rate. Resolves once all are stored, with the time of each from when it
   * was due, milliseconds. Rejects if one is not stored within the time.
   */
  send(options: SendOptions): Promise<Float64Array>;
  /** Closes all connections. */
  leave(args: null): void;
}

/**
 * This many devices come from the usual address, whose source ports are enough for two storms. The others choose address
 * and port: for an address alone the kernel looks for a free port, which takes milliseconds once many are in use.
 */
const FROM_USUAL_ADDRESS = 12_000;
const PER_ADDRESS = 20_000;
const LOWEST_PORT = 10_000;
const FIRST_ADDRESS = 101;
const LOWEST_ZIPCODE = 10_000;
const ZIPCODES = 1_000;

const SEND_EVERY_MS = 2;

interface Device {
  readonly socket: Socket;
  /** When its message was due. */
  dueMs?: number;
}

let devices: Device[] = [];
/** Called for each reply after `identified`. */
let onStored = (_device: Device): void => {};

const channel = serveCalls<StormCalls>({
  storm,
  send,
  leave() {
    for (const { socket } of devices) socket.destroy();
    devices = [];
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
      const device: Device = { socket };
      devices.push(device);
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
        if (settled && text.includes('"stored"')) onStored(device);
        once(
          text.includes('"identified"') ? undefined : (/"code":"(\w+)"/.exec(text)?.[1] ?? 'another reply'),
        );
      });
      socket.on('error', (error: NodeJS.ErrnoException) => once(error.code ?? 'unknown'));
      socket.on('close', () => once('closed'));
    }
  });
}

function send({ perSecond, messages, timeoutMs }: SendOptions): Promise<Float64Array> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const storedMs = new Float64Array(messages);
    let [sent, stored] = [0, 0];
    const timer = setInterval(() => {
      const passedMs = performance.now() - startMs;
      for (const due = Math.min(messages, (passedMs * perSecond) / 1000); sent < due; sent++) {
        const device = devices[sent];
        if (device === undefined) break;
        device.dueMs = startMs + (sent * 1000) / perSecond;
        device.socket.write(READING);
      }
      if (passedMs > timeoutMs)
        settle(new Error(`${messages - stored} of ${messages} messages are not stored`));
    }, SEND_EVERY_MS);
    const settle = (error?: Error): void => {
      clearInterval(timer);
      onStored = () => {};
      if (error === undefined) resolve(storedMs);
      else reject(error);
    };
    onStored = ({ dueMs }) => {
      if (dueMs === undefined) return;
      storedMs[stored++] = performance.now() - dueMs;
      if (stored === messages) settle();
    };
  });
}

function sourceOf(index: number): { localAddress?: string; localPort?: number } {
  const beyond = index - FROM_USUAL_ADDRESS;
  if (beyond < 0) return {};
  return {
    localAddress: `127.0.0.${FIRST_ADDRESS + Math.floor(beyond / PER_ADDRESS)}`,
    localPort: LOWEST_PORT + (beyond % PER_ADDRESS),
  };
}

const READING =
  '{"type":"metrics","seq":1,"data":{"timestamp":"2026-11-21T12:00:00Z","temperature":21.5,"humidity":40.1}}\n';

function identifyOf(index: number): string {
  const zipcode = String(LOWEST_ZIPCODE + (index % ZIPCODES));
  return `{"type":"identify","zipcode":"${zipcode}","city":"Stormville","device_id":"storm-${index}"}\n`;
}
