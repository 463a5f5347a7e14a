// A process with devices of a measured run: all connect at once and come back by the rules of docs/protocol.md, then they
// write at a steady rate. It counts its own CPU, because it shares the machine with the gateway.
import { connect as connectPlain, type Socket, type TcpSocketConnectOpts } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket } from 'node:tls';
import { connectOverTls } from '../../load/devices/tls.ts';
import type { Target } from '../../load/plan.ts';
import { serveCalls } from '../../load/processes/child.ts';
import { seededRandom } from '../../load/random.ts';
import { type Failure, PROTOCOL } from '../storm/rules.ts';
import { CONNECTS_PER_TURN, LINE_BYTES, PATIENCE_MS } from './setup.ts';

export interface StormOptions extends Pick<Target, 'port' | 'tls'> {
  /** The number of the first device over all processes. */
  readonly first: number;
  readonly count: number;
  readonly seed: number;
  /** Devices between their connect and `identified`. */
  readonly mostUnderWay: number;
  /** A device that is not identified by then makes the call fail. */
  readonly timeoutMs: number;
}

export interface StormResult {
  /** From the first connect until each device heard `identified`, milliseconds. */
  readonly backMs: Float64Array;
  /** Attempts that failed, by their reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** User and system time of this process. */
  readonly cpuSeconds: number;
}

export interface SteadyOptions {
  readonly perSecond: number;
  readonly seconds: number;
}

export interface SteadyResult {
  readonly sent: number;
  readonly cpuSeconds: number;
}

export interface FleetCalls {
  /** Rejects if a device is not back in time. */
  storm(options: StormOptions): Promise<StormResult>;
  /** Each device in turn writes a line with a `seq`. Resolves when all are stored. */
  steady(options: SteadyOptions): Promise<SteadyResult>;
  /** Closes all connections. */
  leave(args: null): Promise<void>;
}

const PER_ADDRESS = 10_000;
/** Source addresses are 127.0.0.101 and so on, with chosen ports: to look for a free one takes milliseconds if many are in use. */
const FIRST_ADDRESS = 101;
const FIRST_PORT = 10_000;
const TICK_MS = 1;
const STORED_TIMEOUT_MS = 20_000;

interface Device {
  readonly index: number;
  socket: Socket | undefined;
  failures: number;
  isBack: boolean;
  seq: number;
  stored: number;
  rest: string;
}

let devices: Device[] = [];
let onBroken = (_why: string): void => {};

serveCalls<FleetCalls>({
  storm,
  steady,
  async leave() {
    onBroken = () => {};
    const open = devices.flatMap(({ socket }) => (socket === undefined ? [] : [socket]));
    devices = [];
    for (const socket of open) {
      socket.removeAllListeners();
      socket.on('error', () => {});
      // A reset leaves no TIME_WAIT, so the ports are free for the next storm. TLS sockets cannot be reset.
      if (socket instanceof TLSSocket) socket.destroy();
      else socket.resetAndDestroy();
    }
  },
});

function storm({
  port,
  tls,
  first,
  count,
  seed,
  mostUnderWay,
  timeoutMs,
}: StormOptions): Promise<StormResult> {
  const random = seededRandom(seed * 1009 + first);
  devices = Array.from({ length: count }, (_, offset) => newDevice(first + offset));
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const before = process.cpuUsage();
    const failures: Record<string, number> = {};
    const backMs: number[] = [];
    const timer = setTimeout(() => {
      reject(
        new Error(`${count - backMs.length} of ${count} devices are not back (${JSON.stringify(failures)})`),
      );
    }, timeoutMs);
    onBroken = (why) => reject(new Error(why));

    const attempt = (device: Device): void => {
      let state: 'connecting' | 'connected' | 'over' = 'connecting';
      const options: TcpSocketConnectOpts = { host: '127.0.0.1', port, noDelay: true, ...sourceOf(device) };
      const socket = tls === undefined ? connectPlain(options) : connectOverTls(tls, options);
      device.socket = socket;
      device.rest = '';
      const patience = setTimeout(() => failed('noReply', 'no answer'), PATIENCE_MS);
      const failed = (failure: Failure, why: string): void => {
        if (state === 'over') return;
        state = 'over';
        clearTimeout(patience);
        socket.destroy();
        failures[why] = (failures[why] ?? 0) + 1;
        setTimeout(() => due(device), PROTOCOL.waitMs(failure, ++device.failures, random));
        underWay--;
        connectSoon();
      };
      // Before the end of the handshake the gateway says nothing.
      const early = (): Failure => (tls !== undefined && state === 'connecting' ? 'handshake' : 'noReply');
      socket.setEncoding('latin1');
      socket.on(tls === undefined ? 'connect' : 'secureConnect', () => {
        state = 'connected';
        socket.write(identifyOf(device));
      });
      socket.on('data', (text: string) => {
        if (device.isBack) {
          onReplies(device, text);
          return;
        }
        if (text.includes('"server_full"')) failed('serverFull', 'server_full');
        else if (!text.includes('"identified"')) failed('noReply', text.slice(0, 200));
        else {
          clearTimeout(patience);
          device.isBack = true;
          underWay--;
          connectSoon();
          if (backMs.push(performance.now() - startMs) === count) finish();
        }
      });
      const ended = (why: string): void => {
        if (device.isBack) onBroken(`a connection ended (${why})`);
        else failed(early(), why);
      };
      socket.on('error', (error: NodeJS.ErrnoException) => ended(error.code ?? 'unknown'));
      socket.on('close', () => ended('closed'));
    };
    const finish = (): void => {
      clearTimeout(timer);
      const { user, system } = process.cpuUsage(before);
      resolve({ backMs: Float64Array.from(backMs), failures, cpuSeconds: (user + system) / 1e6 });
    };
    const waiting = [...devices];
    let next = 0;
    let underWay = 0;
    let isSoon = false;
    const mayConnect = (): boolean => next < waiting.length && underWay < mostUnderWay;
    const due = (device: Device): void => {
      waiting.push(device);
      connectSoon();
    };
    const connectSoon = (): void => {
      if (isSoon || !mayConnect()) return;
      isSoon = true;
      setImmediate(() => {
        isSoon = false;
        for (let turn = 0; turn < CONNECTS_PER_TURN && mayConnect(); turn++) {
          underWay++;
          attempt(waiting[next++] as Device);
        }
        connectSoon();
      });
    };
    connectSoon();
  });
}

async function steady({ perSecond, seconds }: SteadyOptions): Promise<SteadyResult> {
  const before = process.cpuUsage();
  let fail = (_: Error): void => {};
  const broken = new Promise<never>((_, reject) => {
    fail = reject;
  });
  onBroken = (why) => fail(new Error(why));
  const sent = await Promise.race([sendPaced({ perSecond, seconds }), broken]);
  const { user, system } = process.cpuUsage(before);
  await Promise.race([allStored(), broken]);
  return { sent, cpuSeconds: (user + system) / 1e6 };
}

/** At an even pace, however late the event loop is. */
async function sendPaced({ perSecond, seconds }: SteadyOptions): Promise<number> {
  const startMs = performance.now();
  const count = Math.round(perSecond * seconds);
  let sent = 0;
  while (sent < count) {
    const due = Math.min(count, 1 + Math.floor(((performance.now() - startMs) * perSecond) / 1000));
    for (; sent < due; sent++) {
      const device = devices[sent % devices.length] as Device;
      device.socket?.write(lineOf(++device.seq));
    }
    await sleep(TICK_MS);
  }
  return sent;
}

/** Rejects if nothing becomes stored for a while. On a busy machine all of it may take as long as it needs. */
async function allStored(): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  let deadline = 0;
  for (;;) {
    const waiting = devices.reduce((sum, { seq, stored }) => sum + Math.max(0, seq - stored), 0);
    if (waiting === 0) return;
    const now = performance.now();
    if (waiting < least) [least, deadline] = [waiting, now + STORED_TIMEOUT_MS];
    if (now > deadline) throw new Error(`${waiting} lines still wait for stored`);
    await sleep(10);
  }
}

const STORED = /"status":"stored","seq":(\d+)/;

function onReplies(device: Device, text: string): void {
  const lines = (device.rest + text).split('\n');
  device.rest = lines.pop() ?? '';
  for (const line of lines) {
    const seq = STORED.exec(line)?.[1];
    if (seq === undefined) onBroken(`the gateway answered ${line.slice(0, 200)}`);
    else device.stored = Number(seq);
  }
}

const newDevice = (index: number): Device => ({
  index,
  socket: undefined,
  failures: 0,
  isBack: false,
  seq: 0,
  stored: 0,
  rest: '',
});

function sourceOf({ index }: Device): { localAddress: string; localPort: number } {
  return {
    localAddress: `127.0.0.${FIRST_ADDRESS + Math.floor(index / PER_ADDRESS)}`,
    localPort: FIRST_PORT + (index % PER_ADDRESS),
  };
}

function identifyOf({ index }: Device): string {
  const zipcode = String(10_000 + ((index * 37) % 90_000));
  return `{"type":"identify","zipcode":"${zipcode}","city":"Stormville","device_id":"storm-${index}"}\n`;
}

function lineOf(seq: number): string {
  const head = `{"type":"metrics","seq":${seq},"data":{"n":${seq},"temperature":${(20 + (seq % 100) / 10).toFixed(1)},"note":"`;
  return `${head}${'x'.repeat(LINE_BYTES - head.length - '"}}\n'.length)}"}}\n`;
}
