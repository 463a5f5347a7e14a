// The load, in a process of its own: so many devices that write precomputed lines as fast as the server takes
// them, or lines at a given rate. Every count it is asked for is sent exactly.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Device } from './device.ts';
import { type LatencySummary, latencySummary } from './figures.ts';
import {
  FIRST_SEQ,
  linePool,
  mulberry32,
  POOL_LINES,
  SEQ_DIGITS,
  SEQ_OFFSET,
  type Stamp,
  weatherLine,
} from './lines.ts';
import { serveCalls } from './worker-process.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly linesPerWrite: number;
  /** Ask for confirmations; then `send` also waits for them. */
  readonly seq: boolean;
  /** With `seq`: a device has at most so many lines unconfirmed, at full speed. Absent: what its socket takes. */
  readonly window?: number | undefined;
  /** False: the devices only connect, until `identify`. */
  readonly identify?: boolean | undefined;
}

export interface SendOptions {
  readonly count: number;
  /** Absent: as fast as taken. */
  readonly perSecond?: number | undefined;
  /** With a rate: each line carries the time at which it was due, for a consumer. */
  readonly stamped?: boolean | undefined;
}

export interface SendResult {
  readonly count: number;
  /** User and system, of this process. */
  readonly cpuSeconds: number;
  /** With `seq` and a rate: from the time a line was due to its `stored`. */
  readonly storedMs?: LatencySummary;
}

export interface LoadCalls {
  connect(options: LoadOptions): Promise<void>;
  /** Where `connect` left that out. */
  identify(args: null): Promise<void>;
  send(options: SendOptions): Promise<SendResult>;
  /** Begins to send at a rate, until `finishPaced`. */
  startPaced(options: { readonly perSecond: number }): Promise<void>;
  finishPaced(options: Record<string, never>): Promise<SendResult>;
}

const STORED_TIMEOUT_MS = 20_000;
const STORED_POLL_MS = 2;
const TICK_MS = 1;
const LOWEST_ZIPCODE = 10_000;
const ZIPCODES = 90_000;
const ZIPCODE_STEP = 37;
/** Far below the ports that an address has for connections going out. */
const CONNECTIONS_PER_ADDRESS = 4_000;
/** Devices that connect or identify at the same time. */
const AT_ONCE = 64;

const devices: Device[] = [];
const random = mulberry32(1);
let options: LoadOptions;
let pool: { readonly bytes: Buffer; readonly starts: readonly number[] };
let nextLine = 0;
let nextDevice = 0;
let sentBefore = 0;
let onRoom = (): void => {};
let endless: { readonly sent: Promise<SendResult>; stop(): void } | undefined;
/** When each line with a `seq` was due, while lines are sent at a rate. */
const due = new Map<Device, { readonly firstSeq: number; readonly atMs: number[] }>();
let storedMs: number[] = [];
let fail = (_: Error): void => {};
const failed = new Promise<never>((_, reject) => {
  fail = reject;
});
failed.catch(() => {});

serveCalls<LoadCalls>({
  async connect(wanted) {
    options = wanted;
    const lines = linePool({ seq: options.seq, stamped: false }).map((line) => `${line}\n`);
    pool = { bytes: Buffer.from(lines.join('')), starts: starts(lines) };
    await eachDevice(options.connections, async (index) => {
      const device = new Device({ port: options.port, localAddress: addressOf(index) }, FIRST_SEQ, {
        drained: () => onRoom(),
        stored: onStored,
        failed: fail,
      });
      devices[index] = device;
      await device.connected();
      if (options.identify ?? true) await device.identify(zipcodeOf(index));
    });
  },

  async identify() {
    await eachDevice(devices.length, async (index) => devices[index]?.identify(zipcodeOf(index)));
  },

  send({ count, perSecond, stamped = false }) {
    return sendAll(() =>
      perSecond === undefined ? sendFast(count) : sendPaced({ until: () => count, perSecond, stamped }),
    );
  },

  async startPaced({ perSecond }) {
    let end = Number.POSITIVE_INFINITY;
    const stop = (): void => {
      end = 0;
    };
    const sent = sendAll(() => sendPaced({ until: () => end, perSecond, stamped: false }));
    sent.catch(() => {});
    endless = { sent, stop };
  },

  async finishPaced() {
    if (endless === undefined) throw new Error('start first');
    endless.stop();
    return endless.sent;
  },
});

/** Resolves when it is done for each; rejects when it failed for one. */
async function eachDevice(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  const all = Promise.all(Array.from({ length: AT_ONCE }, one));
  await Promise.race([all, failed]);
}

const zipcodeOf = (index: number): string => String(LOWEST_ZIPCODE + ((index * ZIPCODE_STEP) % ZIPCODES));
const addressOf = (index: number): string => `127.0.0.${1 + Math.floor(index / CONNECTIONS_PER_ADDRESS)}`;

async function sendAll(send: () => Promise<number>): Promise<SendResult> {
  const before = process.cpuUsage();
  storedMs = [];
  const count = await Promise.race([send(), failed]);
  sentBefore += count;
  if (options.seq) await Promise.race([allStored(), failed]);
  due.clear();
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  return { count, cpuSeconds, ...(storedMs.length > 0 && { storedMs: latencySummary(storedMs) }) };
}

/** A write for each device in turn, from where the last call left off, passing over those that are full. */
async function sendFast(count: number): Promise<number> {
  const { window = Number.POSITIVE_INFINITY, linesPerWrite } = options;
  let left = count;
  while (left > 0) {
    const room = new Promise<void>((resolve) => {
      onRoom = resolve;
    });
    let wrote = false;
    for (let passed = 0; passed < devices.length; passed++) {
      const device = devices[nextDevice++ % devices.length];
      if (device === undefined) throw new Error('connect first');
      const lines = Math.min(linesPerWrite, left);
      if (device.blocked || device.unconfirmed + lines > window) continue;
      device.write(nextBlock(device, lines));
      left -= lines;
      wrote = true;
      if (left === 0) return count;
    }
    await (wrote ? turn() : room);
  }
  return count;
}

function nextBlock(device: Device, lines: number): Buffer {
  if (nextLine + lines > POOL_LINES) nextLine = 0;
  const { bytes, starts } = pool;
  const first = nextLine;
  nextLine += lines;
  const block = bytes.subarray(starts[first], starts[nextLine]);
  if (!options.seq) return block;
  // A copy, since the pool's bytes may still wait in another socket.
  const own = Buffer.from(block);
  for (let line = first; line < nextLine; line++) {
    const offset = (starts[line] ?? 0) - (starts[first] ?? 0) + SEQ_OFFSET;
    writeDigits(own, offset, device.nextSeq++);
  }
  return own;
}

/** @param value below 2 ** 31, which divides twice as fast: what the load costs is taken from the server here */
function writeDigits(bytes: Buffer, offset: number, value: number): void {
  let rest = value | 0;
  for (let at = offset + SEQ_DIGITS - 1; at >= offset; at--) {
    const tenth = (rest / 10) | 0;
    bytes[at] = 48 + rest - tenth * 10;
    rest = tenth;
  }
}

interface Pace {
  /** How many in all, asked again and again. */
  readonly until: () => number;
  readonly perSecond: number;
  readonly stamped: boolean;
}

/**
 * Each message has its due time, kept however late the writes are, so that a server that stalls is charged for
 * every message it would have got meanwhile (no coordinated omission).
 */
async function sendPaced({ until, perSecond, stamped }: Pace): Promise<number> {
  const startMs = performance.timeOrigin + performance.now();
  let sent = 0;
  while (sent < until()) {
    const passedMs = now() - startMs;
    const end = Math.min(until(), 1 + Math.floor((passedMs * perSecond) / 1000));
    for (; sent < end; sent++) {
      const device = devices[sent % devices.length];
      if (device === undefined) throw new Error('connect first');
      const dueMs = startMs + (sent * 1000) / perSecond;
      if (options.seq) noteDue(device, dueMs);
      device.write(
        stamped ? stampedLine(device, { n: sentBefore + sent, sentMs: dueMs }) : nextBlock(device, 1),
      );
    }
    await sleep(TICK_MS);
  }
  return sent;
}

function stampedLine(device: Device, stamp: Stamp): string {
  const seq = options.seq ? device.nextSeq++ : undefined;
  return `${weatherLine(random, seq, stamp)}\n`;
}

function noteDue(device: Device, dueMs: number): void {
  const lines = due.get(device);
  if (lines === undefined) due.set(device, { firstSeq: device.nextSeq, atMs: [dueMs] });
  else lines.atMs.push(dueMs);
}

function onStored(device: Device, before: number): void {
  onRoom();
  const lines = due.get(device);
  if (lines === undefined) return;
  const nowMs = now();
  for (let seq = Math.max(before + 1, lines.firstSeq); seq <= device.stored; seq++) {
    storedMs.push(nowMs - (lines.atMs[seq - lines.firstSeq] ?? Number.NaN));
  }
}

/** Milliseconds since 1970 with fractions, as in the consumer's process. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function allStored(): Promise<void> {
  const deadline = performance.now() + STORED_TIMEOUT_MS;
  for (;;) {
    const behind = devices.filter(({ unconfirmed }) => unconfirmed !== 0);
    if (behind.length === 0) return;
    if (performance.now() > deadline) throw new Error(`${behind.length} devices wait for their confirmation`);
    await sleep(STORED_POLL_MS);
  }
}

/** Where each line begins, and where the last one ends. */
function starts(lines: readonly string[]): number[] {
  let at = 0;
  const all = lines.map((line) => {
    at += line.length;
    return at;
  });
  return [0, ...all];
}
