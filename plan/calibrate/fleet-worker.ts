// The process of the calibration's devices: they connect, plain or over TLS, identify, send lines of a size at a rate, and
// leave. It counts its work, and never judges.
import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { serveCalls } from '../../load/processes/child.ts';
import { seededRandom } from '../../load/random.ts';
import { LinePool } from './line-pool.ts';

export interface ArriveOptions {
  readonly port: number;
  /** The certificate of the server, PEM. Null: without TLS. */
  readonly ca: string | null;
  readonly count: number;
  /** Devices that connect concurrently. */
  readonly atOnce: number;
  /** Devices use the TLS tickets of their last connections. */
  readonly resume: boolean;
}

export interface SendOptions {
  readonly perSecond: number;
  readonly seconds: number;
  /** Of a line, with its LF. */
  readonly lineBytes: number;
}

export interface FleetCalls {
  /** Resolves with the number of handshakes with a ticket, once each device was told `identified`. */
  arrive(options: ArriveOptions): Promise<number>;
  /** One line a write, of a device at random. Resolves with the number of lines once all are `stored`. */
  send(options: SendOptions): Promise<number>;
  /** Closes all connections. */
  leave(args: null): Promise<void>;
}

/** Far below the number of source ports of an address. */
const PER_ADDRESS = 2_000;
const ADDRESSES = 250;
const LOWEST_ZIPCODE = 10_000;
const ZIPCODES = 90_000;
const ZIPCODE_STEP = 37;
const TIMEOUT_MS = 60_000;
const TICK_MS = 1;
const POLL_MS = 2;
const SEED = 20_261_129;

interface Device {
  readonly socket: Socket;
  seq: number;
  stored: number;
}

let devices: Device[] = [];
const tickets: Buffer[] = [];
const pools = new Map<number, LinePool>();
const random = seededRandom(SEED);
let failure: Error | undefined;
let arrived = 0;

serveCalls<FleetCalls>({
  async arrive(options) {
    const { ca, count, atOnce } = options;
    const secureContext = ca === null ? undefined : createSecureContext({ ca, minVersion: 'TLSv1.3' });
    let [next, resumed] = [devices.length, 0];
    const end = next + count;
    const one = async (): Promise<void> => {
      while (next < end) {
        const index = next++;
        const { device, isResumed } = await arrive(index, { ...options, secureContext });
        devices[index] = device;
        if (isResumed) resumed++;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    return resumed;
  },

  async send({ perSecond, seconds, lineBytes }) {
    const pool = pools.get(lineBytes) ?? new LinePool(lineBytes);
    pools.set(lineBytes, pool);
    const count = Math.round(perSecond * seconds);
    const startMs = performance.now();
    for (let sent = 0; sent < count; await sleep(TICK_MS)) {
      const due = Math.min(count, Math.floor(((performance.now() - startMs) * perSecond) / 1000));
      for (; sent < due; sent++) {
        // Real devices do not send in step.
        const device = devices[Math.floor(random() * devices.length)];
        if (device === undefined) throw new Error('no device has connected');
        device.seq++;
        device.socket.write(pool.next(device.seq));
      }
      if (failure !== undefined) throw failure;
    }
    const deadline = performance.now() + TIMEOUT_MS;
    while (devices.some(({ seq, stored }) => stored < seq)) {
      if (failure !== undefined) throw failure;
      if (performance.now() > deadline) throw new Error('devices still wait for confirmations');
      await sleep(POLL_MS);
    }
    return count;
  },

  async leave() {
    const all = devices;
    devices = [];
    await Promise.all(
      all.map(
        ({ socket }) =>
          new Promise<void>((resolve) => {
            socket.once('close', () => resolve());
            socket.end();
          }),
      ),
    );
  },
});

interface Arrival extends ArriveOptions {
  readonly secureContext: ReturnType<typeof createSecureContext> | undefined;
}

/** Ports of connections that were closed stay in use for a minute, so each storm has addresses of its own. */
function nextAddress(): string {
  const number = Math.floor(arrived++ / PER_ADDRESS);
  return `127.0.${1 + (Math.floor(number / ADDRESSES) % ADDRESSES)}.${1 + (number % ADDRESSES)}`;
}

/** Rejects with the reply or the error that came in place of `identified`. */
function arrive(index: number, { port, secureContext, resume }: Arrival) {
  return new Promise<{ device: Device; isResumed: boolean }>((resolve, reject) => {
    const to = {
      host: '127.0.0.1',
      port,
      localAddress: nextAddress(),
    };
    const ticket = resume ? tickets[index] : undefined;
    const socket =
      secureContext === undefined
        ? connectPlain({ ...to, noDelay: true })
        : connectTls({ ...to, secureContext, ...(ticket && { session: ticket }) });
    const device: Device = { socket, seq: 0, stored: 0 };
    const timer = setTimeout(() => reject(new Error('a device was not identified in time')), TIMEOUT_MS);
    const fail = (error: Error): void => {
      failure ??= error;
      reject(error);
    };
    let isResumed = false;
    socket.setNoDelay(true);
    socket.on('session', (session: Buffer) => {
      tickets[index] = session;
    });
    socket.once(secureContext === undefined ? 'connect' : 'secureConnect', () => {
      isResumed = 'isSessionReused' in socket && (socket as import('node:tls').TLSSocket).isSessionReused();
      socket.write(identifyOf(index));
    });
    let isKnown = false;
    let rest = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      rest += text;
      const end = rest.lastIndexOf('\n');
      if (end < 0) return;
      const lines = rest.slice(0, end);
      rest = rest.slice(end + 1);
      if (lines.includes('"error"') || lines.includes('"closing"'))
        fail(new Error(`the gateway answered ${lines}`));
      // Confirmations are cumulative.
      const seq = lines.lastIndexOf('"seq":');
      if (seq >= 0) device.stored = Number.parseInt(lines.slice(seq + 6), 10);
      if (isKnown || !lines.includes('"identified"')) return;
      isKnown = true;
      clearTimeout(timer);
      resolve({ device, isResumed });
    });
    socket.on('error', fail);
    socket.on('end', () => {
      if (devices[index] === device) fail(new Error('the gateway closed a connection'));
    });
  });
}

function identifyOf(index: number): string {
  const zipcode = LOWEST_ZIPCODE + ((index * ZIPCODE_STEP) % ZIPCODES);
  return `{"type":"identify","zipcode":"${zipcode}","city":"Planville","device_id":"plan-${index}"}\n`;
}
